"""The value of a secret is only in the environment of the command: not in arguments, messages or errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from chroniker.models import Run, RunEvent, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support import installed
from tests.support.command_jobs import DUMMY, a_job_of_new_year, is_running, the_run
from tests.support.manage import Manage
from tests.support.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "correct-horse-battery-staple"
FIELDS = {"secrets": "API_TOKEN=env:TOKEN_OF_THE_WORKER\nPAYMENT=setting:PAYMENT_KEY"}


def assert_in_no_table() -> None:
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            assert SECRET not in repr(cursor.fetchall()), table


def command_lines() -> dict[str, str]:
    """The arguments of all processes, as ``ps`` shows them to every user of the host."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[path.parent.name] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended
    return found


@pytest.mark.parametrize("fields", [{"command": "sleep_for", "args": "60"}, {"command": "", "raw_command": "sleep 60"}])
def test_no_process_has_the_secret_in_its_arguments(fields: dict[str, str], manage: Manage, tmp_path: Path) -> None:
    job = a_job_of_new_year(**FIELDS, **fields)
    worker = Manage({**manage.env, "TOKEN_OF_THE_WORKER": SECRET}, tmp_path).having(PAYMENT_KEY=SECRET)
    with worker.process("run_job", job.name) as process:
        wait_until(lambda: is_running(job) and process.children(), what="running")
        assert not [line for line in command_lines().values() if SECRET in line]
        assert_in_no_table()
    assert SECRET not in process.log
    assert_in_no_table()


def test_the_error_for_a_missing_secret_has_only_its_name(admin: Client, manage: Manage) -> None:
    job = a_job_of_new_year(command="noop", secrets=f"API_TOKEN=setting:MISSING\nOTHER=env:{'X' * 20}")
    done = manage.having(OTHER=SECRET)("run_job", job.name)
    assert "MISSING" in done.stderr and SECRET not in done.stdout + done.stderr
    run = the_run(job)
    assert run.status == Status.FAILED
    for page in (
        reverse("admin:chroniker_job_change", args=[job.pk]),
        reverse("admin:chroniker_run_change", args=[run.pk]),
    ):
        assert SECRET not in admin.get(page).content.decode()
    assert SECRET not in repr([*RunEvent.objects.values(), *LogEntry.objects.values()])


@pytest.mark.celery
def test_a_message_to_a_celery_worker_has_only_id_token_and_name() -> None:
    assert installed.CELERY
    from chroniker_celery.publish import RunMessage

    assert RunMessage._fields == ("run_id", "token", "queue", "priority", "host", "job_name", "stores_result")
    with override_settings(CHRONIKER_EXECUTORS=DUMMY, PAYMENT_KEY=SECRET):
        run_now(a_job_of_new_year(command="noop", **FIELDS), "a test")
    assert Run.objects.count() == 1
    assert_in_no_table()

"""A denied command is refused at every entry (form, import, declaration, …), and does not run if a row has it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from chroniker.exceptions import ClaimRefused
from chroniker.job_commands import policy
from chroniker.models import Job, LogChunk, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.integration.importing.upgrading import FIXTURES
from tests.support import admin_pages
from tests.support.command_jobs import INLINE, a_job_of_new_year, the_run
from tests.support.declared_app import Shop
from tests.support.factories import a_booked_job, a_job
from tests.support.manage import Manage

pytestmark = pytest.mark.django_db(transaction=True)

NO_RAW = override_settings(CHRONIKER_DISABLE_RAW_COMMAND=True)
ADD = "admin:chroniker_job_add"


def refused(job: Job) -> str:
    """Run the job, which fails before its command starts. Returns the reason."""
    User.objects.get_or_create(username="who is still there")
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        run_now(job, "an attacker")
    run = the_run(job)
    assert run.status == Status.FAILED
    assert not LogChunk.objects.exists()
    assert User.objects.exists()  # "flush" has not run
    return run.reason


@pytest.mark.parametrize("name", ["flush", "shell", "dbshell", "cron", "cronserver", "run_job", "runserver", "test"])
def test_the_form_of_a_new_job(name: str, admin: Client) -> None:
    page = admin.post(reverse(ADD), {**admin_pages.open_form(admin), "name": "x", "command": name, "cron": "* * * * *"})
    assert "cannot be scheduled" in admin_pages.errors(page)["command"][0]
    assert not Job.objects.exists()


def test_the_form_of_an_existing_job(admin: Client) -> None:
    job = a_job()
    page = admin.post(admin_pages.url(job), {**admin_pages.open_form(admin, job), "command": "flush"})
    assert "cannot be scheduled" in admin_pages.errors(page)["command"][0]
    job.refresh_from_db()
    assert job.command == "noop"


def test_a_clone_of_a_stored_job(admin: Client) -> None:
    source = a_job(command="flush", name="source")
    address = f"{reverse(ADD)}?clone={source.pk}"
    sent = {**admin_pages.fields(admin.get(address)), "name": "clone"}
    assert sent["command"] == "flush"
    assert "cannot be scheduled" in admin_pages.errors(admin.post(address, sent))["command"][0]
    assert Job.objects.get() == source


def test_a_row_that_bypassed_the_form_and_the_run_button(admin: Client) -> None:
    job = a_booked_job()
    Job.objects.filter(pk=job.pk).update(command="flush", args="--no-input")
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        admin.post(reverse("admin:chroniker_job_run", args=[job.pk]))
    assert "cannot be scheduled" in the_run(job).reason
    assert User.objects.filter(username="root").exists()


def test_a_denied_command_in_a_row_written_by_sql_is_not_run() -> None:
    job = a_booked_job()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE chroniker_job SET command = 'flush', args = '--no-input' WHERE id = %s", [job.pk])
    assert "cannot be scheduled" in refused(Job.objects.get())


def test_a_worker_process_does_not_run_a_denied_command(manage: Manage) -> None:
    User.objects.create(username="who is still there")
    job = a_job_of_new_year(command="flush", args="--no-input")
    done = manage("run_job", job.name)
    assert done.returncode == 1 and "cannot be scheduled" in done.stderr
    assert User.objects.exists()


def test_arguments_for_one_run_do_not_allow_a_denied_command() -> None:
    job = a_booked_job(command="flush")
    with pytest.raises(ClaimRefused, match="cannot be scheduled"):
        run_now(job, "an attacker", args="--no-input")
    assert not Run.objects.exists()


def test_an_import_of_django_chroniker_s_jobs(tmp_path: Path) -> None:
    path = tmp_path / "dump.json"
    fields = {"name": "x", "command": "flush", "args": "--no-input", "frequency": "DAILY", "enabled": True}
    path.write_text(json.dumps([{"model": "chroniker.job", "pk": 1, "fields": fields}]))
    call_command("import_chroniker", str(path), stdout=io.StringIO())
    job = Job.objects.get()
    assert not job.enabled
    Job.objects.update(enabled=True)
    assert "cannot be scheduled" in refused(a_booked_job(command=job.command, args=job.args))


@NO_RAW
def test_an_import_of_a_crontab_while_raw_commands_are_off(tmp_path: Path) -> None:
    path = tmp_path / "crontab"
    path.write_text("0 3 * * * cd /srv/shop && ./manage.py flush --no-input\n0 4 * * * rm -rf /srv\n")
    call_command("import_crontab", str(path), stdout=io.StringIO())
    assert not Job.objects.filter(enabled=True).exists()


@pytest.mark.celery
def test_an_import_of_celery_beat_s_tasks() -> None:
    fixture = FIXTURES / "celery-beat.json"
    with override_settings(CHRONIKER_COMMANDS_DENIED=["run_celery_task"]):
        call_command("import_celery_beat", str(fixture), stdout=io.StringIO())
    assert not Job.objects.filter(enabled=True).exists()


def test_a_denied_command_cannot_be_declared_in_code(shop: Shop) -> None:
    shop.command("wipe", "@chroniker.job(cron='0 3 * * *')")
    with (
        override_settings(CHRONIKER_COMMANDS_DENIED=["wipe"]),
        pytest.raises(CommandError, match="cannot be scheduled"),
    ):
        call_command("sync_jobs", stdout=io.StringIO())
    assert not Job.objects.exists()


def test_the_list_of_allowed_commands_is_checked_at_execution_too() -> None:
    job = a_booked_job(command="noop")
    with override_settings(CHRONIKER_COMMANDS=["report_*"]):
        assert "is not allowed (CHRONIKER_COMMANDS)" in refused(job)


@pytest.fixture
def side_effect(tmp_path: Path) -> Callable[[], bool]:
    """A module that creates a file when it is imported, and a function that checks this."""
    (tmp_path / "side_effect.py").write_text(
        f"open({str(tmp_path / 'taken')!r}, 'w').close()\nfrom tests.settings import *\n"
    )
    return (tmp_path / "taken").exists


@pytest.mark.parametrize(
    "options",
    [
        "--pythonpath {dir} --settings side_effect",
        "--pythonpath={dir} --settings=side_effect",
        "--python {dir} --sett side_effect",
        "--p={dir} --se=side_effect",
        "x --settings=side_effect --pythonpath={dir}",
    ],
)
def test_options_that_set_settings_or_paths_are_refused(
    options: str, side_effect: Callable[[], bool], admin: Client, manage: Manage, tmp_path: Path
) -> None:
    args = options.format(dir=tmp_path)
    with NO_RAW:
        page = admin.post(
            reverse(ADD),
            {**admin_pages.open_form(admin), "name": "x", "command": "env_dump", "args": args, "cron": "* * * * *"},
        )
        assert "can change which code runs" in admin_pages.errors(page)["args"][0]
        job = a_job_of_new_year(command="env_dump", args=args)
        assert "can change which code runs" in refused(job)
        with pytest.raises(ClaimRefused, match="can change which code runs"):
            run_now(a_job_of_new_year(command="env_dump"), "an attacker", args=args)
    assert manage.having(CHRONIKER_DISABLE_RAW_COMMAND=True).in_process("run_job", job.name).returncode == 1
    assert not side_effect()


def test_similar_words_are_accepted() -> None:
    with NO_RAW, override_settings(CHRONIKER_EXECUTORS=INLINE):
        job = a_job_of_new_year(command="env_dump", args="--flag -- --settings")
        run_now(job, "a test")
    assert the_run(job).status == Status.SUCCEEDED


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "PYTHONPATH", "OPENSSL_CONF", "GCONV_PATH", "BASH_ENV", "path"])
def test_variables_that_decide_which_code_runs(name: str) -> None:
    with NO_RAW:
        for field in ("environment", "secrets"):
            value = f"{name}={'/tmp' if field == 'environment' else 'env:HOME'}"
            fields: dict[str, Any] = {field: value}
            assert "can change which code runs" in refused(a_booked_job(**fields))
            LogChunk.objects.all().delete()


def test_rows_of_an_unknown_user_are_data(admin: Client) -> None:
    """Names and texts of a job are never formatted, evaluated or looked up."""
    text = "%(name)s {0.__class__} {{ 7|add:7 }} ${IFS} %s"
    job: Any = a_job_of_new_year(name=text, command="noop")
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        admin.post(reverse("admin:chroniker_job_run", args=[job.pk]))
    assert the_run(job).status == Status.SUCCEEDED
    shown = admin.get(reverse("admin:chroniker_run_change", args=[the_run(job).pk])).content.decode()
    assert text in shown and "14" not in shown[shown.index("<h1>") : shown.index("</h1>")]


@pytest.mark.parametrize(
    "name",
    [
        *("shell_plus", "debugsqlshell", "runserver_plus", "runprofileserver", "qcluster", "rqworker", "run_huey"),
        *("reset_db", "reset_schema", "dbrestore", "mediarestore", "clear_index", "tenant_command"),
    ],
)
def test_dangerous_commands_of_popular_packages_are_denied(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interactive commands, endless commands, commands that destroy data, and commands that run other commands."""
    monkeypatch.setattr(policy, "get_commands", lambda: {name: "some_app"})
    assert "CHRONIKER_COMMANDS_DENIED" in str(policy.denial_reason(name))

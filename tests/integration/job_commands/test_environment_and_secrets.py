"""Environment and working directory of a command; secrets by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client, override_settings

from chroniker.models import Job, LogChunk, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.admin_pages import errors, open_form, url
from tests.support.command_jobs import INLINE, a_job_of_new_year, stdout_of, the_run
from tests.support.factories import a_booked_job, a_job
from tests.support.manage import Manage

SECRET = "correct horse battery staple"

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_command_has_its_variables_secrets_and_directory(manage: Manage, tmp_path: Path) -> None:
    job = a_job_of_new_year(
        command="env_dump",
        environment="GREETING=good morning\nLANGUAGE=fr",
        secrets="API_TOKEN=env:TOKEN_OF_THE_WORKER\nPAYMENT=setting:PAYMENT_KEY",
        working_directory=str(tmp_path),
    )
    worker = Manage({**manage.env, "TOKEN_OF_THE_WORKER": SECRET}, tmp_path).having(PAYMENT_KEY="k3y")
    done = worker("run_job", job.name)
    assert done.returncode == 0, done.stderr
    seen = json.loads(stdout_of(the_run(job)))
    expected = {"GREETING": "good morning", "LANGUAGE": "fr", "API_TOKEN": SECRET, "PAYMENT": "k3y"}
    assert expected.items() <= seen["environ"].items()
    assert seen["environ"]["CHRONIKER_RUN_ID"] == str(the_run(job).pk)
    assert Path(seen["cwd"]) == tmp_path
    assert SECRET not in str(seen["argv"])


def test_secrets_are_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_THE_WORKER", SECRET)
    job = a_booked_job(command="noop", secrets="API_TOKEN=env:TOKEN_OF_THE_WORKER")
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        run_now(job, "a test")
    assert the_run(job).status == Status.SUCCEEDED
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            assert SECRET not in repr(cursor.fetchall()), table


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"secrets": "KEY=env:NOT_THERE_AT_ALL"}, "“NOT_THERE_AT_ALL”"),
        ({"secrets": "KEY=setting:NOT_THERE_AT_ALL"}, "“NOT_THERE_AT_ALL”"),
        ({"working_directory": "/no/such/place"}, "“/no/such/place”"),
        ({"environment": "no sign"}, "Line 1"),
    ],
)
def test_missing_secrets_fail_the_run_and_are_named(fields: dict[str, Any], named: str) -> None:
    job = a_booked_job(command="chatty", **fields)
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        run_now(job, "a test")
    run = the_run(job)
    assert run.status == Status.FAILED
    assert named in run.reason
    assert not LogChunk.objects.filter(run=run).exists()


def test_the_form_refuses_invalid_variables(admin: Client) -> None:
    job = a_booked_job()
    bad = {"environment": "CHRONIKER_X=1", "secrets": f"KEY={SECRET}", "working_directory": "here"}
    page = admin.post(url(job), {**open_form(admin, job), **bad})
    shown_errors: dict[str, Any] = errors(page)
    assert set(shown_errors) == set(bad)
    assert "reserved" in shown_errors["environment"][0]
    assert "NAME=setting:SETTING" in shown_errors["secrets"][0] and SECRET not in shown_errors["secrets"][0]
    good = {"environment": "LANGUAGE=fr", "secrets": "KEY=env:KEY", "working_directory": "/tmp"}
    assert admin.post(url(job), {**open_form(admin, job), **good}).status_code == 302
    job.refresh_from_db()
    assert {name: getattr(job, name) for name in good} == good


def test_duplicate_variables_are_refused() -> None:
    with pytest.raises(ValidationError, match="given as a variable and as a secret"):
        Job(name="x", command="noop", cron="* * * * *", environment="A=1", secrets="A=env:A").full_clean()


def test_a_job_without_variables_is_unchanged() -> None:
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        run_now(a_job(command="env_dump"), "a test")
    assert Run.objects.get().status == Status.SUCCEEDED

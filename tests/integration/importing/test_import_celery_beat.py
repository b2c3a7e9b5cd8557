from __future__ import annotations

import datetime as dt
import io
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import shared_task
from django.core.management import CommandError, call_command
from django.db import connection

from chroniker.importing import Candidate, save_candidates
from chroniker.models import Job
from chroniker.schedule import preview
from chroniker.scheduler import manual_runs
from chroniker_celery.importing.beat_tables import read_file
from chroniker_celery.importing.jobs import ImportOptions, candidates
from tests.integration.importing.upgrading import FIXTURES

pytestmark = [pytest.mark.django_db, pytest.mark.celery]

DUMP = FIXTURES / "celery-beat.json"
NOW = dt.datetime(2026, 11, 30, 12, 0, 30, tzinfo=dt.UTC)
RECEIVED: list[Any] = []


@shared_task(name="tests.integration.importing.echo")
def echo(*values: Any, **pairs: Any) -> str:
    RECEIVED.append((values, pairs))
    print("the task speaks")
    return "its result"


@shared_task(name="tests.integration.importing.fail")
def fail() -> None:
    raise LookupError("no such shop")


def imported(*known: str, send: bool = False) -> dict[str, Candidate]:
    found = candidates(read_file(str(DUMP)), ImportOptions(NOW, known, send))
    save_candidates(found)
    return {each.job.name: each for each in found}


def printed(*words: str) -> str:
    out = io.StringIO()
    call_command("import_celery_beat", *words, stdout=out)
    return out.getvalue()


@contextmanager
def beats_tables() -> Iterator[None]:
    """The tables of django-celery-beat as its migrations made them, with the rows of the dump."""
    with connection.cursor() as cursor:
        for statement in (FIXTURES / f"celery-beat-tables-{connection.vendor}.sql").read_text().split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        objects = json.loads(DUMP.read_text())
        for each in sorted(objects, key=lambda each: each["model"].endswith("periodictask")):
            row = {"id": each["pk"]} if not each["model"].endswith("periodictasks") else {"ident": each["pk"]}
            for name, value in each["fields"].items():
                column = f"{name}_id" if name in ("crontab", "interval", "clocked", "solar") else name
                is_moment = isinstance(value, str) and value.startswith("20") and value.endswith("Z")
                moment = connection.ops.adapt_datetimefield_value
                row[column] = moment(dt.datetime.fromisoformat(value)) if is_moment else value
            table = each["model"].replace(".", "_")
            columns = ", ".join(connection.ops.quote_name(name) for name in row)
            cursor.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join(['%s'] * len(row))})", [*row.values()])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for name in (
                "periodictask",
                "periodictasks",
                *(f"{n}schedule" for n in ("crontab", "interval", "clocked", "solar")),
            ):
                cursor.execute(f"DROP TABLE IF EXISTS django_celery_beat_{name}")


def test_jobs_keep_the_instants_that_beats_own_schedules_give() -> None:
    given = json.loads((FIXTURES / "celery-beat-instants.json").read_text())
    found = imported()
    for name in ("nightly", "office hours", "first monday", "long fields", "every ten minutes", "routed"):
        there = [dt.datetime.fromisoformat(text).replace(microsecond=0) for text in given[name]]
        assert preview(found[name].job.spec, NOW, 10) == there, name
        assert found[name].instants == there, name


def test_both_days_of_a_crontab_must_meet_as_in_celery() -> None:
    job = imported()["first monday"].job
    assert (job.frequency, job.timezone) == ("DAILY", "America/New_York")
    assert job.params == "bymonthday:1,2,3,4,5,6,7;byweekday:0;byhour:6;byminute:0;bysecond:0"


def test_an_interval_begins_at_its_start_and_ends_when_it_expires() -> None:
    found = imported()["every other day"]
    days = [dt.datetime(2026, 12, day, 8, tzinfo=dt.UTC) for day in range(2, 13, 2)]
    assert preview(found.job.spec, NOW, 10) == days
    assert found.instants == days


def test_a_task_that_is_sent_once_becomes_a_job_that_runs_once() -> None:
    found = imported()
    assert found["christmas"].job.run_at == dt.datetime(2026, 12, 24, 18, tzinfo=dt.UTC)
    assert found["once at three"].job.frequency == "ONCE"
    assert preview(found["once at three"].job.spec, NOW, 10) == [dt.datetime(2026, 12, 1, 2, 30, tzinfo=dt.UTC)]


def test_what_has_no_equivalent_is_said_and_the_others_proceed() -> None:
    found = imported()
    assert "A schedule by the sun (sunset) has no equivalent." in found["at sunset"].refusal
    assert "the shortest is a second" in found["too often"].refusal
    assert Job.objects.count() == 11
    assert not found["over"].job.enabled
    assert not found["each quarter"].job.enabled


def test_a_task_of_this_project_is_run_by_its_job_in_the_tasks_own_queue() -> None:
    found = imported("shop.tasks.report", "shop.tasks.poll")
    job = found["nightly"].job
    words = ["shop.tasks.report", "--args", '["a", 1]', "--kwargs", '{"full": true, "name": "two words"}']
    assert (job.command, shlex.split(job.args)) == ("run_celery_task", words)
    assert (job.queue, job.priority, job.fail_on_stderr) == ("slow", 3, False)
    assert found["office hours"].job.start_deadline_seconds == 600
    routed = shlex.split(found["routed"].job.args)
    assert routed[1:] == ["--send", "--exchange=shop", "--routing-key=a.b", '--headers={"tenant": 4}']


def test_a_task_of_another_project_is_sent() -> None:
    job = imported()["nightly"].job
    assert shlex.split(job.args)[-3:] == ["--send", "--queue=slow", "--priority=3"]
    assert job.queue == ""


def test_a_second_run_changes_nothing_and_a_dry_run_neither() -> None:
    assert "11 would be imported" in printed(str(DUMP), "--dry-run")
    assert not Job.objects.exists()
    told = printed(str(DUMP))
    assert "11 imported, 2 not imported" in told.replace("2 not imported, 11 imported", "11 imported, 2 not imported")
    assert "Now switch these tasks off there" in told
    assert "differs" not in told
    Job.objects.filter(name="nightly").update(name="renamed", cron="1 1 * * *")
    before = list(Job.objects.order_by("pk").values())
    assert "11 imported before" in printed(str(DUMP))
    assert list(Job.objects.order_by("pk").values()) == before


@pytest.mark.django_db(transaction=True)
def test_tables_are_read_in_place() -> None:
    with beats_tables():
        printed()
    assert Job.objects.count() == 11
    assert Job.objects.get(name="first monday").timezone == "America/New_York"


def test_a_database_without_its_tables_says_so() -> None:
    with pytest.raises(CommandError, match="There are no tables of django-celery-beat"):
        printed()


def test_a_task_is_run_in_the_commands_own_process() -> None:
    out = io.StringIO()
    call_command(
        "run_celery_task",
        "tests.integration.importing.echo",
        "--args",
        '["a", 1]',
        "--kwargs",
        '{"full": true}',
        stdout=out,
    )
    assert RECEIVED.pop() == (("a", 1), {"full": True})
    assert out.getvalue() == "'its result'\n"


def test_a_task_that_fails_fails_the_command() -> None:
    with pytest.raises(LookupError, match="no such shop"):
        call_command("run_celery_task", "tests.integration.importing.fail")


def test_a_task_that_is_not_there_is_refused() -> None:
    with pytest.raises(CommandError, match=r"There is no task “tests\.nowhere”"):
        call_command("run_celery_task", "tests.nowhere")


@pytest.mark.parametrize("words", [["--args", "{}"], ["--kwargs", "[1]"], ["--args", "nonsense"]])
def test_arguments_that_are_no_json_are_refused(words: list[str]) -> None:
    with pytest.raises(CommandError, match="invalid"):
        call_command("run_celery_task", "tests.integration.importing.echo", *words)


def test_an_imported_job_may_be_claimed() -> None:
    job = imported()["nightly"].job
    assert manual_runs.run_now(job, "a test").token == 1

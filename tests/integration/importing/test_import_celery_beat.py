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

from chroniker.importing import ImportCandidate, save_candidates
from chroniker.models import Job
from chroniker.schedule import next_instants
from chroniker.scheduler import manual_runs
from chroniker_celery.importing.beat_tables import read_beat_dump_file
from chroniker_celery.importing.jobs import ImportOptions, make_import_candidates
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


def imported(*known: str, send: bool = False) -> dict[str, ImportCandidate]:
    found = make_import_candidates(read_beat_dump_file(str(DUMP)), ImportOptions(NOW, known, send))
    save_candidates(found, by="a test")
    return {each.job.name: each for each in found}


def printed(*words: str) -> str:
    out = io.StringIO()
    call_command("import_celery_beat", *words, stdout=out)
    return out.getvalue()


@contextmanager
def tables_of_celery_beat() -> Iterator[None]:
    """The tables of django-celery-beat as its migrations create them, with the rows of the dump."""
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


def test_jobs_keep_the_instants_of_celery_beat() -> None:
    given = json.loads((FIXTURES / "celery-beat-instants.json").read_text())
    found = imported()
    for name in ("nightly", "office hours", "first monday", "long fields", "every ten minutes", "routed"):
        there = [dt.datetime.fromisoformat(text).replace(microsecond=0) for text in given[name]]
        assert next_instants(found[name].job.spec, NOW, 10) == there, name
        assert found[name].instants_there == there, name


def test_both_day_fields_must_match_as_in_celery() -> None:
    job = imported()["first monday"].job
    assert (job.frequency, job.timezone) == ("DAILY", "America/New_York")
    assert job.params == "bymonthday:1,2,3,4,5,6,7;byweekday:0;byhour:6;byminute:0;bysecond:0"


def test_intervals_keep_their_start_and_end() -> None:
    found = imported()["every other day"]
    days = [dt.datetime(2026, 12, day, 8, tzinfo=dt.UTC) for day in range(2, 13, 2)]
    assert next_instants(found.job.spec, NOW, 10) == days
    assert found.instants_there == days


def test_one_off_tasks_become_jobs_that_run_once() -> None:
    found = imported()
    assert found["christmas"].job.run_at == dt.datetime(2026, 12, 24, 18, tzinfo=dt.UTC)
    assert found["once at three"].job.frequency == "ONCE"
    assert next_instants(found["once at three"].job.spec, NOW, 10) == [dt.datetime(2026, 12, 1, 2, 30, tzinfo=dt.UTC)]


def test_tasks_without_an_equivalent_are_reported() -> None:
    found = imported()
    assert "A solar schedule (sunset) has no equivalent." in found["at sunset"].refusal
    assert "the shortest interval is one second" in found["too often"].refusal
    assert Job.objects.count() == 11
    assert not found["over"].job.enabled
    assert not found["each quarter"].job.enabled


def test_a_known_task_runs_in_its_own_queue() -> None:
    found = imported("shop.tasks.report", "shop.tasks.poll")
    job = found["nightly"].job
    words = ["shop.tasks.report", "--args", '["a", 1]', "--kwargs", '{"full": true, "name": "two words"}']
    assert (job.command, shlex.split(job.args)) == ("run_celery_task", words)
    assert (job.queue, job.priority, job.fail_on_stderr) == ("slow", 3, False)
    assert found["office hours"].job.start_deadline_seconds == 600
    routed = shlex.split(found["routed"].job.args)
    assert routed[1:] == ["--send", "--exchange=shop", "--routing-key=a.b", '--headers={"tenant": 4}']


def test_an_unknown_task_is_sent() -> None:
    job = imported()["nightly"].job
    assert shlex.split(job.args)[-3:] == ["--send", "--queue=slow", "--priority=3"]
    assert job.queue == ""


def test_second_imports_and_dry_runs_change_nothing() -> None:
    assert "11 would be imported" in printed(str(DUMP), "--dry-run")
    assert not Job.objects.exists()
    output = printed(str(DUMP))
    assert "11 imported, 2 not imported" in output.replace("2 not imported, 11 imported", "11 imported, 2 not imported")
    assert "Now disable these tasks there" in output
    assert "differs" not in output
    Job.objects.filter(name="nightly").update(name="renamed", cron="1 1 * * *")
    before = list(Job.objects.order_by("pk").values())
    assert "11 imported before" in printed(str(DUMP))
    assert list(Job.objects.order_by("pk").values()) == before


@pytest.mark.django_db(transaction=True)
def test_tables_are_read() -> None:
    with tables_of_celery_beat():
        printed()
    assert Job.objects.count() == 11
    assert Job.objects.get(name="first monday").timezone == "America/New_York"


def test_missing_tables_are_reported() -> None:
    with pytest.raises(CommandError, match="There are no tables of django-celery-beat"):
        printed()


def test_a_task_runs_in_the_process_of_the_command() -> None:
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


def test_a_missing_task_is_refused() -> None:
    with pytest.raises(CommandError, match=r"There is no task “tests\.nowhere”"):
        call_command("run_celery_task", "tests.nowhere")


@pytest.mark.parametrize("words", [["--args", "{}"], ["--kwargs", "[1]"], ["--args", "nonsense"]])
def test_invalid_json_arguments_are_refused(words: list[str]) -> None:
    with pytest.raises(CommandError, match=r"is not JSON|has the wrong type"):
        call_command("run_celery_task", "tests.integration.importing.echo", *words)


def test_an_imported_job_can_be_claimed() -> None:
    job = imported()["nightly"].job
    assert manual_runs.run_now(job, "a test").token == 1

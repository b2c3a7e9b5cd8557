"""What values of django-celery-beat become, and which are refused."""

from __future__ import annotations

import datetime as dt
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from chroniker.importing import ImportCandidate, save_candidates
from chroniker.schedule import next_instants
from chroniker_celery.importing.beat_tables import read_beat_dump_file
from chroniker_celery.importing.jobs import ImportOptions, make_import_candidates
from tests.testapp.tasks import takes_anything

pytestmark = [pytest.mark.django_db, pytest.mark.celery]

NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
TASK = takes_anything.name
NIGHTLY = {"minute": "30", "hour": "3"}


def imported(tmp_path: Path, kind: str, schedule: dict[str, Any], **fields: Any) -> ImportCandidate:
    """The job of one task with this schedule."""
    task = {"name": "report", "task": TASK, "crontab": None, "interval": None, kind: 1, **fields}
    rows = {f"{kind}schedule": schedule, "periodictask": task}
    path = tmp_path / "dump.json"
    objects = [{"model": f"django_celery_beat.{name}", "pk": 1, "fields": row} for name, row in rows.items()]
    path.write_text(json.dumps(objects))
    found = make_import_candidates(read_beat_dump_file(str(path)), ImportOptions(NOW, {TASK}))
    save_candidates(found, by="a test")
    return found[0]


@pytest.mark.parametrize(
    ("schedule", "fields", "refusal"),
    [
        ({}, {"crontab": 7}, "It has no schedule."),
        ({"minute": "61"}, {}, "Celery refuses its schedule 61 * * * *: "),
        ({"minute": "x"}, {}, "Celery refuses its schedule x * * * *: "),
        ({"timezone": "Mars/Olympus"}, {}, "Celery refuses its schedule * * * * *: "),
        (NIGHTLY, {"args": "[1"}, "Its --args are not JSON: [1"),
        (NIGHTLY, {"args": '{"a": 1}'}, 'Its --args have the wrong type: {"a": 1}'),
        (NIGHTLY, {"kwargs": "[1]"}, "Its --kwargs have the wrong type: [1]"),
        (NIGHTLY, {"headers": "{"}, "Its headers are not JSON: {"),
    ],
)
def test_a_refusal_names_the_value(
    tmp_path: Path, schedule: dict[str, Any], fields: dict[str, Any], refusal: str
) -> None:
    assert imported(tmp_path, "crontab", schedule, **fields).refusal.startswith(refusal)


def test_names_that_only_celery_knows_become_a_rule(tmp_path: Path) -> None:
    found = imported(tmp_path, "crontab", {**NIGHTLY, "day_of_week": "monday"})
    assert (found.job.frequency, found.job.cron) == ("DAILY", "")
    assert next_instants(found.job.spec, NOW, 3) == found.instants_there[:3]
    assert found.instants_there[0] == dt.datetime(2026, 12, 7, 3, 30, tzinfo=dt.UTC)


def test_a_day_that_no_month_has_is_refused_as_in_celery(tmp_path: Path) -> None:
    found = imported(tmp_path, "crontab", {**NIGHTLY, "day_of_month": "30", "month_of_year": "2"})
    assert found.refusal.startswith("Celery refuses its schedule 30 3 30 2 *: ")


def test_a_start_after_all_times_leaves_no_next_times(tmp_path: Path) -> None:
    yearly = {**NIGHTLY, "day_of_month": "1", "month_of_year": "1"}
    found = imported(tmp_path, "crontab", yearly, start_time="9999-12-30T00:00:00Z")
    assert found.instants_there == [] and not found.job.enabled
    assert "is outside the years" in " ".join(found.differences)


def test_microseconds_that_are_whole_seconds_are_imported(tmp_path: Path) -> None:
    whole, part = (
        imported(tmp_path, "interval", {"every": every, "period": "microseconds"}, name=str(every))
        for every in (2_000_000, 2_500_000)
    )
    assert (whole.job.frequency, whole.job.params) == ("SECONDLY", "interval:2")
    assert part.refusal == "An interval of 2500000 microseconds has no equivalent: the shortest interval is one second."


@pytest.mark.parametrize("count", [False, True])
def test_a_one_off_task_that_has_run_is_disabled(tmp_path: Path, count: bool) -> None:
    found = imported(tmp_path, "crontab", NIGHTLY, one_off=True, total_run_count=int(count))
    note = "It was a one-off task and has run: it is disabled here."
    assert (found.job.enabled, note in found.differences, found.instants_there == []) == (not count, count, count)


def test_a_description_is_a_note(tmp_path: Path) -> None:
    assert imported(tmp_path, "crontab", NIGHTLY).differences == []
    found = imported(tmp_path, "crontab", NIGHTLY, name="other", description="For the boss.")
    assert found.differences == ["Its description is not imported: For the boss."]


@pytest.mark.parametrize("word", ["--send", "--send-mails"])
def test_a_task_with_an_argument_like_an_option_keeps_its_queue(tmp_path: Path, word: str) -> None:
    job = imported(tmp_path, "crontab", NIGHTLY, args=json.dumps([word]), queue="slow", priority=3).job
    assert shlex.split(job.args) == [TASK, "--args", json.dumps([word])]
    assert (job.queue, job.priority) == ("slow", 3)

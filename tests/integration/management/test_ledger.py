"""``manage.py ledger``: the scheduled times of a job."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chroniker.clock.database_clock import database_now
from chroniker.management.commands import ledger
from chroniker.models import Job, JobState, Run, Status, Trigger
from tests.support.factories import a_booked_job

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = dt.timedelta(minutes=1)


def printed(*words: str) -> str:
    out = io.StringIO()
    call_command("ledger", *words, stdout=out)
    return out.getvalue()


def as_json(*words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed("--json", *words).splitlines()]


def a_history(minutes: int) -> tuple[Job, dt.datetime]:
    """One run that covers ``minutes`` scheduled times, and then a skipped run."""
    since = database_now().replace(second=0, microsecond=0) - (minutes + 3) * MINUTE
    job = a_booked_job(since=since, name="backup", timezone="UTC")
    last = since + minutes * MINUTE
    both = {"job": job, "trigger": Trigger.SCHEDULE, "claimed_at": last, "finished_at": last}
    covers = {"scheduled_for": since + MINUTE, "covered_until": last, "started_at": last}
    Run.objects.create(token=1, status=Status.SUCCEEDED, **covers, **both)
    skipped = {"scheduled_for": last + MINUTE, "covered_until": last + MINUTE, "code": "OVERLAP"}
    Run.objects.create(token=2, status=Status.SKIPPED, **skipped, **both)
    JobState.objects.filter(pk=job.pk).update(last_token=2, covered_until=last + MINUTE)
    return job, since


def test_each_scheduled_time_is_a_line_with_its_result() -> None:
    _job, since = a_history(3)
    head, *lines = printed("backup", "--until", (since + 4 * MINUTE).isoformat()).splitlines()
    assert head.split("  ")[0] == "scheduled time"
    assert [line.split()[2] for line in lines] == ["skipped", "succeeded", "succeeded", "succeeded"]
    assert lines[0].endswith("The job was still running.") and "#1" in lines[1]


def test_from_and_until_are_both_included() -> None:
    _job, since = a_history(30)
    low, high = ((since + n * MINUTE).strftime("%Y-%m-%dT%H:%M") for n in (5, 8))
    found = as_json("backup", "--from", low, "--until", high)
    assert [each["instant"] for each in found] == [(since + n * MINUTE).isoformat() for n in (8, 7, 6, 5)]
    assert printed("backup", "--until", "2001-01-01T00:00") == "No scheduled times.\n"


def test_json_output_has_one_object_per_line() -> None:
    _job, since = a_history(3)
    skipped, ran = as_json("backup", "--until", (since + 4 * MINUTE).isoformat(), "--limit", "2")
    run = Run.objects.get(token=1)
    assert ran == {
        "instant": (since + 3 * MINUTE).isoformat(),
        "until": None,
        "verdict": "SUCCEEDED",
        "run": str(run.pk),
        "token": 1,
        "attempt": 1,
        "started_at": (since + 3 * MINUTE).isoformat(),
        "finished_at": (since + 3 * MINUTE).isoformat(),
        "code": "",
        "reason": "",
        "certain": True,
        "backfill_run": None,
    }
    assert (skipped["verdict"], skipped["code"], skipped["started_at"]) == ("SKIPPED", "OVERLAP", None)


def test_any_number_of_lines_is_written_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    _job, since = a_history(100)
    monkeypatch.setattr(ledger, "INSTANTS_PER_QUERY", 7)
    found = as_json("backup", "--limit", "0", "--until", (since + 101 * MINUTE).isoformat())
    assert [each["instant"] for each in found] == [(since + n * MINUTE).isoformat() for n in range(101, 0, -1)]
    assert len(as_json("backup", "--limit", "23")) == 23


def test_an_unknown_job_and_an_invalid_time_are_refused_with_a_message() -> None:
    a_history(1)
    with pytest.raises(CommandError, match="Did you mean “backup”"):
        printed("backups")
    for text in ("yesterday", "2026-13-01T00:00"):
        with pytest.raises(CommandError, match="is not a time"):
            printed("backup", "--from", text)

"""``manage.py backfill`` and ``chroniker.backfill``: request, dry run, refusals, list, cancellation."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.management import CommandError, call_command

import chroniker
from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.exceptions import BackfillRefused
from chroniker.models import (
    AuditEntry,
    Backfill,
    BackfillFailurePolicy,
    InstantSelection,
    Job,
    JobState,
    Run,
    Status,
    Trigger,
)
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, started, state_of

pytestmark = pytest.mark.django_db(transaction=True)

DAY = dt.timedelta(days=1)
ONCE = {"frequency": "ONCE", "run_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}


def daily(days: int = 3, **fields: Any) -> Job:
    now = database_now()
    cron = f"0 {(now.hour + 12) % 24} * * *"
    job = a_booked_job(since=now - days * DAY, cron=cron, misfire_grace_seconds=0, name="report", **fields)
    tick(now=now + dt.timedelta(minutes=1))
    return job


def run(*words: str, **options: Any) -> str:
    from io import StringIO

    out = StringIO()
    call_command("backfill", *words, stdout=out, **options)
    return out.getvalue()


def in_range(job: Job, days: int = 10) -> list[str]:
    now = database_now()
    return [job.name, "--from", (now - days * DAY).isoformat(), "--until", now.isoformat()]


def test_a_request_makes_a_backfill_that_ticks_execute() -> None:
    job = daily(args="-v 1")
    text = run(*in_range(job), "--which", "not-run", "--stop-on-failure", "--note", "why", "--arguments=-v 2")
    row = Backfill.objects.get(job=job)
    assert text == f"Backfill {row.pk} was requested (number of runs: 3). It can start at the next tick.\n"
    assert (row.which, row.on_failure, row.note, row.args) == (
        InstantSelection.NOT_RUN,
        BackfillFailurePolicy.STOP,
        "why",
        "-v 2",
    )
    assert row.asked_by.endswith(" (manage.py backfill)")
    [entry] = AuditEntry.objects.entries_of_row(job)
    assert str(entry) == f"Backfill {row.pk} requested (planned runs: 3)."
    [claimed] = tick().claimed
    assert (claimed.backfill, claimed.args, claimed.asked_by) == (row.pk, "-v 2", row.asked_by)
    listed = run("--list")
    assert "report" in listed and "1 of 3, in progress" in listed


def fail(claimed: Run) -> None:
    assert lifecycle.finish(claimed.pk, claimed.token, started(claimed), lifecycle.Outcome(Status.FAILED))


def test_a_pending_retry_of_a_backfill_is_made_due() -> None:
    job = daily(max_retries=1, retry_backoff_seconds=3600)
    run(*in_range(job))
    row = Backfill.objects.get()
    with pytest.raises(SystemExit):
        run("--retry-now", str(row.pk))
    [first] = tick().claimed
    fail(first)
    assert tick().claimed == []
    assert run("--retry-now", str(row.pk)) == "Its retry is due now.\n"
    assert "Retry moved to the current time." in [str(entry) for entry in AuditEntry.objects.entries_of_row(job)]
    [again] = tick().claimed
    assert (again.trigger, again.instant, again.attempt) == (Trigger.RETRY, first.instant, 2)
    with pytest.raises(SystemExit):
        run("--retry-now", str(row.pk))
    with pytest.raises(CommandError, match="There is no backfill “x”"):
        run("--retry-now", "x")


def test_a_dry_run_lists_each_time_and_changes_nothing() -> None:
    job = daily()
    JobState.objects.filter(pk=job.pk).update(p50=90.0)
    lines = run(*in_range(job), "--dry-run").splitlines()
    assert lines[0].split() == ["scheduled", "time", "record", "backfill"]
    assert len([line for line in lines if "not started  would run" in line]) == 3
    assert len([line for line in lines if "no record    -" in line]) == 7
    assert lines[-1] == "3 of 10 scheduled times would run, about 4 min 30 s in all."
    assert not Backfill.objects.exists()
    assert run(*in_range(job), "--dry-run", "--include-unknown").splitlines()[-1].startswith("10 of 10 ")


def test_a_backfill_is_cancelled_with_its_open_run() -> None:
    job = daily()
    run(*in_range(job))
    row = Backfill.objects.get()
    [claimed] = tick().claimed
    assert run("--cancel", str(row.pk), "--stop-run") == "Cancelled.\n"
    claimed.refresh_from_db()
    assert claimed.status == Status.STOPPED
    with pytest.raises(SystemExit):
        run("--cancel", str(row.pk))
    assert "cancelled" in run("report", "--list")
    assert run("--list") == "No backfills.\n"
    with pytest.raises(CommandError, match="There is no backfill “x”"):
        run("--cancel", "x")


def test_it_waits_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    job = daily(days=1)

    def run_one_tick(_seconds: float) -> None:
        from chroniker import lifecycle
        from chroniker.lifecycle import Outcome

        for claimed in tick().claimed:
            lifecycle.finish(claimed.pk, claimed.token, started(claimed), Outcome(Status.FAILED))

    monkeypatch.setattr("chroniker.management.commands.backfill.time.sleep", run_one_tick)
    with pytest.raises(SystemExit):
        run(*in_range(job), "--wait")
    assert Run.objects.filter(job=job, origin="BACKFILL").count() == 1


REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a job that runs once": (
        {"frequency": "ONCE", "run_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
        {},
        "no repeating",
    ),
    "a job without a schedule": ({"frequency": "MANUAL"}, {}, "no repeating schedule"),
    "a range in reverse": ({}, {"first": database_now, "last": lambda: database_now() - DAY}, "ends before it begins"),
    "the first years": ({}, {"first": dt.datetime.min.replace(tzinfo=dt.UTC)}, "begins before the year 1970"),
    "the future": ({}, {"last": lambda: database_now() + DAY}, "ends in the future"),
    "nothing to run": (
        {},
        {"last": lambda: database_now() - 20 * DAY},
        "Scheduled times without a record are left out",
    ),
    "no scheduled time": ({}, {"first": lambda: database_now() - DAY / 24}, "has no scheduled time"),
    "too many": ({"cron": "* * * * * */5"}, {}, "more than 10000 scheduled times"),
    "more than are kept": (
        {"maximum_log_entries": 2},
        {},
        r"The backfill needs 3 runs, but the number of runs that the job keeps \(“runs kept”\) is 2\.",
    ),
    "bad arguments": ({}, {"args": "--nonsense"}, "--nonsense"),
    "an unknown choice": ({}, {"which": "SOME"}, "“SOME, GO_ON” is not a known choice"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_request_that_cannot_be_met_is_refused_with_words(name: str) -> None:
    fields, wish, text = REFUSALS[name]
    job = daily()
    Job.objects.filter(pk=job.pk).update(**fields)
    job.refresh_from_db()
    given = {"first": lambda: database_now() - 30 * DAY, "last": database_now, **wish}
    values = {key: value() if callable(value) else value for key, value in given.items()}
    with pytest.raises(BackfillRefused, match=text):
        chroniker.backfill(job, by="ann", **values)
    assert not Backfill.objects.exists()


def test_a_time_that_the_schedule_has_not_decided_is_refused() -> None:
    job = daily()
    state = state_of(job)
    assert state.last_instant is not None
    JobState.objects.filter(pk=job.pk).update(covered_until=state.last_instant - DAY, next_instant=state.last_instant)
    with pytest.raises(BackfillRefused, match="The scheduler has not processed the scheduled time"):
        chroniker.backfill(job, database_now() - 30 * DAY, database_now(), "ann")
    made = chroniker.backfill(job, database_now() - 30 * DAY, state.last_instant - DAY / 24, "ann")
    assert made.planned == 2


def test_times_without_a_time_zone_are_errors() -> None:
    job = daily()
    with pytest.raises(ValueError, match="has no time zone"):
        chroniker.backfill(job, dt.datetime(2026, 1, 1), database_now(), "ann")
    with pytest.raises(CommandError, match="Name a job, and the range"):
        run("report", "--from", "2026-01-01T00:00")

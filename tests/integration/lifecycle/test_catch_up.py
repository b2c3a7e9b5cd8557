"""Catch-up: what becomes of several scheduled times that are due together."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from chroniker.clock.database_clock import database_now
from chroniker.models import CatchUp, Job, Lease, Overlap, Run, Status, Trigger
from chroniker.reasons import Code
from chroniker.scheduler.tick import expire_runs, tick
from tests.integration.lifecycle.backlogs import each, ranges
from tests.integration.lifecycle.steps import claimed, ended
from tests.support.factories import a_booked_job, a_due_job, a_job, started, state_of

MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)


def test_one_run_for_each_runs_them_one_at_a_time_and_in_order() -> None:
    job = each(minutes=6)
    now = database_now()
    first = state_of(job).next_instant
    assert first is not None
    for number in range(6):
        run = claimed(now=now)
        assert tick(now=now).claimed == [], "one at a time"
        instant = first + number * MINUTE
        assert (run.scheduled_for, run.covered_until, run.instant_until) == (instant, instant, instant)
        assert run.interval_start == instant - MINUTE
        ended(run)
    assert all(run.scheduled_for is None or run.scheduled_for > now - MINUTE for run in tick(now=now).claimed)


def test_scheduled_times_whose_grace_passes_meanwhile_are_skipped() -> None:
    job = each(minutes=5, misfire_grace_seconds=600)
    now = database_now()
    first = ended(claimed(now=now))
    later = now + dt.timedelta(minutes=12)
    run = claimed(now=later)
    assert run.scheduled_for is not None and run.scheduled_for >= later - dt.timedelta(seconds=600)
    assert first.scheduled_for is not None
    assert [(low, high, code) for low, high, status, code in ranges(job) if status == Status.SKIPPED] == [
        (first.scheduled_for + MINUTE, run.scheduled_for - MINUTE, Code.MISSED)
    ]


@pytest.mark.parametrize(("microseconds", "expected"), [(0, Status.CLAIMED), (1, Status.SKIPPED)])
def test_a_scheduled_time_is_missed_as_soon_as_its_grace_is_over(microseconds: int, expected: Status) -> None:
    job = a_due_job(misfire_grace_seconds=600)
    instant = state_of(job).next_instant
    assert instant is not None
    tick(now=instant + dt.timedelta(seconds=600, microseconds=microseconds))
    assert Run.objects.get(job=job, scheduled_for=instant).status == expected


def test_after_a_lost_run_the_next_scheduled_time_runs() -> None:
    each(minutes=3)
    now = database_now()
    run = claimed(now=now)
    started(run)
    Lease.objects.filter(pk=run.pk).update(expires_at=now - DAY)
    expire_runs()
    assert Run.objects.get(pk=run.pk).status == Status.LOST
    following = claimed(now=now)
    assert run.scheduled_for is not None
    assert (following.trigger, following.scheduled_for) == (Trigger.SCHEDULE, run.scheduled_for + MINUTE)


def test_one_run_for_the_last_skips_the_others_with_the_reason() -> None:
    job = a_due_job(minutes=6, catch_up=CatchUp.LATEST)
    first = state_of(job).next_instant
    assert first is not None
    run = claimed(now=first + dt.timedelta(minutes=5, seconds=30))
    last = first + 5 * MINUTE
    assert ranges(job) == [
        (first, last - MINUTE, Status.SKIPPED, Code.CATCH_UP),
        (last, last, Status.CLAIMED, ""),
    ]
    assert (run.scheduled_for, run.interval_start) == (last, last - MINUTE)
    assert str(Run.objects.get(job=job, status=Status.SKIPPED).reason) == (
        "A later scheduled time gets the run instead: if several wait, only the last one gets a run."
    )


def test_one_run_for_the_last_records_missed_and_replaced_times_separately() -> None:
    job = a_due_job(minutes=6, catch_up=CatchUp.LATEST, misfire_grace_seconds=150)
    first = state_of(job).next_instant
    assert first is not None
    claimed(now=first + dt.timedelta(minutes=5, seconds=10))
    assert ranges(job) == [
        (first, first + 2 * MINUTE, Status.SKIPPED, Code.MISSED),
        (first + 3 * MINUTE, first + 4 * MINUTE, Status.SKIPPED, Code.CATCH_UP),
        (first + 5 * MINUTE, first + 5 * MINUTE, Status.CLAIMED, ""),
    ]


def test_one_run_for_the_last_skips_nothing_if_one_is_due() -> None:
    job = a_due_job(minutes=1, catch_up=CatchUp.LATEST)
    first = state_of(job).next_instant
    claimed(now=first)
    assert ranges(job) == [(first, first, Status.CLAIMED, "")]


def test_two_scheduled_times_of_a_repeated_hour_get_a_run_each() -> None:
    since = dt.datetime(2026, 10, 25, tzinfo=dt.UTC)
    fields = {"cron": "30 2 * * *", "timezone": "Europe/Paris", "dst_fold": "BOTH"}
    job = a_booked_job(since=since, catch_up=CatchUp.EACH, misfire_grace_seconds=366 * 86_400, **fields)
    for _each in range(2):
        ended(claimed())
    assert [low for low, *_rest in ranges(job)] == [since + dt.timedelta(minutes=30), since + dt.timedelta(minutes=90)]


@pytest.mark.parametrize("grace", [None, 0, 366 * 86_400 + 1])
def test_one_run_for_each_needs_a_bounded_grace(grace: int | None) -> None:
    job = a_job(catch_up=CatchUp.EACH, misfire_grace_seconds=grace)
    with pytest.raises(ValidationError) as refused:
        job.full_clean()
    assert refused.value.message_dict == {
        "misfire_grace_seconds": [
            "The catch-up “one run for each, in order” needs a misfire grace from 1 second to 366 days: it limits the"
            " backlog."
        ]
    }


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.REPLACE])
def test_one_run_for_each_needs_the_overlap_wait(overlap: Overlap) -> None:
    job = a_job(catch_up=CatchUp.EACH, misfire_grace_seconds=60, overlap=overlap)
    with pytest.raises(ValidationError) as refused:
        job.full_clean()
    assert refused.value.message_dict == {
        "overlap": [
            "The catch-up “one run for each, in order” needs the overlap “wait”: otherwise its first run would skip or"
            " stop the others."
        ]
    }


def test_one_run_for_each_with_a_grace_and_the_overlap_wait_is_valid() -> None:
    a_job(catch_up=CatchUp.EACH, misfire_grace_seconds=366 * 86_400).full_clean()


@pytest.mark.parametrize("catch_up", CatchUp)
def test_the_time_in_which_a_job_is_disabled_is_never_caught_up(catch_up: CatchUp) -> None:
    job = each(minutes=3, catch_up=catch_up)
    first = state_of(job).next_instant
    Job.objects.filter(pk=job.pk).update(enabled=False)
    assert tick().claimed == []
    enabled_at = database_now()
    Job.objects.filter(pk=job.pk).update(enabled=True)
    assert all(run.scheduled_for is not None and run.scheduled_for > enabled_at for run in tick().claimed)
    found = [row for row in ranges(job) if row[0] < enabled_at]
    assert found[0][0] == first
    assert {(status, code) for _low, _high, status, code in found} == {(Status.SKIPPED, Code.DISABLED)}


@pytest.mark.parametrize("catch_up", CatchUp)
def test_what_waits_is_not_caught_up_after_an_edit_of_the_schedule(catch_up: CatchUp) -> None:
    job, now = each(minutes=3, catch_up=catch_up), database_now()
    first = state_of(job).next_instant
    Job.objects.filter(pk=job.pk).update(cron="0 0 1 1 *", edited_at=now)
    assert tick().claimed == []
    [(low, _high, status, code)] = ranges(job)
    assert (low, status, code) == (first, Status.SKIPPED, Code.EDITED)

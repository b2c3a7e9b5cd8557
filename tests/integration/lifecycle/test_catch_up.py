"""Catch-up: what becomes of several scheduled times that are due together."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations
from chroniker.lifecycle import Outcome
from chroniker.models import CatchUp, Group, Job, JobState, Lease, Overlap, Run, Status, Trigger
from chroniker.reasons import Code
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import claim_after_run, expire, tick
from tests.support.factories import a_booked_job, a_dependency, a_due_job, a_job, started, state_of

MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)
WEEK = 7 * 86_400


def each(minutes: int = 6, **fields: Any) -> Job:
    """A job with a backlog, of which each scheduled time gets a run."""
    values = {"catch_up": CatchUp.EACH, "misfire_grace_seconds": WEEK, "retry_backoff_seconds": 0, **fields}
    return a_booked_job(**{"since": minutes_ago(minutes), **values})


def minutes_ago(minutes: int) -> dt.datetime:
    """Just before that minute began."""
    return database_now().replace(second=0, microsecond=0) - minutes * MINUTE - dt.timedelta(seconds=1)


def claimed(now: dt.datetime | None = None) -> Run:
    [run] = tick(now=now).claimed
    return run


def ended(run: Run, status: Status = Status.SUCCEEDED) -> Run:
    assert lifecycle.finish(run.pk, run.token, started(run), Outcome(status))
    return Run.objects.get(pk=run.pk)


def ranges(job: Job) -> list[tuple[Any, Any, str, str]]:
    rows = Run.objects.filter(job=job, scheduled_for__isnull=False).order_by("token")
    return [(run.scheduled_for, run.covered_until, run.status, run.code) for run in rows]


def test_one_run_for_each_runs_them_one_at_a_time_and_in_order() -> None:
    job = each(minutes=6)
    now = database_now()
    first = state_of(job).next_instant
    assert first is not None
    for number in range(6):
        run = claimed(now)
        assert tick(now=now).claimed == [], "one at a time"
        instant = first + number * MINUTE
        assert (run.scheduled_for, run.covered_until, run.instant_until) == (instant, instant, instant)
        assert run.interval_start == instant - MINUTE
        ended(run)
    assert all(run.scheduled_for is None or run.scheduled_for > now - MINUTE for run in tick(now=now).claimed)


def test_one_run_for_each_retries_before_the_next_scheduled_time() -> None:
    job = each(minutes=3, max_retries=1)
    now = database_now()
    ended(claimed(now))
    second = ended(claimed(now), Status.FAILED)
    retry = claimed()
    assert (retry.trigger, retry.attempt, retry.instant) == (Trigger.RETRY, 2, second.instant)
    ended(retry)
    third = claimed(now)
    assert (third.trigger, third.scheduled_for) == (Trigger.SCHEDULE, second.instant + MINUTE)  # type: ignore[operator]
    assert job.pk == third.job_id


def test_the_next_scheduled_time_waits_while_a_retry_is_pending_and_the_reason_says_so() -> None:
    job = each(minutes=3, max_retries=1, retry_backoff_seconds=3600)
    ended(claimed(), Status.FAILED)
    assert tick().claimed == []
    state = JobState.objects.select_related("job").get(pk=job.pk)
    found = explanations.explain([state], database_now())[job.pk]
    assert found.text.startswith("It failed and is retried at ")
    assert found.is_held
    assert state_of(job).failures == 0, "the chain continues"


def test_a_retry_of_a_run_by_hand_does_not_keep_the_scheduled_times_waiting() -> None:
    job = each(minutes=2, max_retries=1, retry_backoff_seconds=3600)
    ended(run_now(job, by="ann"), Status.FAILED)
    pending = state_of(job)
    assert (pending.retry_origin, pending.retry_status) == (Trigger.MANUAL, Status.FAILED)
    run = claimed()
    assert run.trigger == Trigger.SCHEDULE
    after = state_of(job)
    assert (after.retry_at, after.retry_of) == (pending.retry_at, pending.retry_of), "it is not replaced"
    ended(run, Status.FAILED)
    replaced = state_of(job)
    assert (replaced.retry_of, replaced.retry_origin) == (run.chain, Trigger.SCHEDULE)
    assert replaced.failures == 1, "the chain of the run by hand has ended"


def test_scheduled_times_whose_grace_passes_meanwhile_are_skipped() -> None:
    job = each(minutes=5, misfire_grace_seconds=600)
    now = database_now()
    first = ended(claimed(now))
    later = now + dt.timedelta(minutes=12)
    run = claimed(later)
    assert run.scheduled_for is not None and run.scheduled_for >= later - dt.timedelta(seconds=600)
    assert first.scheduled_for is not None
    assert [(low, high, code) for low, high, status, code in ranges(job) if status == Status.SKIPPED] == [
        (first.scheduled_for + MINUTE, run.scheduled_for - MINUTE, Code.MISSED)
    ]


def test_after_a_lost_run_the_next_scheduled_time_runs() -> None:
    each(minutes=3)
    now = database_now()
    run = claimed(now)
    started(run)
    Lease.objects.filter(pk=run.pk).update(expires_at=now - DAY)
    expire()
    assert Run.objects.get(pk=run.pk).status == Status.LOST
    following = claimed(now)
    assert run.scheduled_for is not None
    assert (following.trigger, following.scheduled_for) == (Trigger.SCHEDULE, run.scheduled_for + MINUTE)


def test_one_run_for_the_last_skips_the_others_with_the_reason() -> None:
    job = a_due_job(minutes=6, catch_up=CatchUp.LATEST)
    first = state_of(job).next_instant
    assert first is not None
    run = claimed(first + dt.timedelta(minutes=5, seconds=30))
    last = first + 5 * MINUTE
    assert ranges(job) == [
        (first, last - MINUTE, Status.SKIPPED, Code.CATCH_UP),
        (last, last, Status.CLAIMED, ""),
    ]
    assert (run.scheduled_for, run.interval_start) == (last, last - MINUTE)
    assert str(Run.objects.get(job=job, status=Status.SKIPPED).reason) == (
        "A later scheduled time runs instead: of those that wait, only the last runs."
    )


def test_one_run_for_the_last_records_missed_and_replaced_times_separately() -> None:
    job = a_due_job(minutes=6, catch_up=CatchUp.LATEST, misfire_grace_seconds=150)
    first = state_of(job).next_instant
    assert first is not None
    claimed(first + dt.timedelta(minutes=5, seconds=10))
    assert ranges(job) == [
        (first, first + 2 * MINUTE, Status.SKIPPED, Code.MISSED),
        (first + 3 * MINUTE, first + 4 * MINUTE, Status.SKIPPED, Code.CATCH_UP),
        (first + 5 * MINUTE, first + 5 * MINUTE, Status.CLAIMED, ""),
    ]


def test_one_run_for_the_last_skips_nothing_if_one_is_due() -> None:
    job = a_due_job(minutes=1, catch_up=CatchUp.LATEST)
    first = state_of(job).next_instant
    claimed(first)
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
            "The catch-up “one run for each, in order” needs the overlap “wait”: else its first run would skip or stop"
            " the others."
        ]
    }


def test_one_run_for_each_with_a_grace_and_the_overlap_wait_is_valid() -> None:
    a_job(catch_up=CatchUp.EACH, misfire_grace_seconds=366 * 86_400).full_clean()


def test_the_end_of_a_run_claims_the_next_scheduled_time_without_a_tick() -> None:
    job = each(minutes=3)
    run = ended(claimed())
    [following] = claim_after_run(job.pk).claimed
    assert run.scheduled_for is not None
    assert (following.job_id, following.scheduled_for) == (job.pk, run.scheduled_for + MINUTE)


@pytest.mark.parametrize("catch_up", [CatchUp.COALESCE, CatchUp.LATEST])
@pytest.mark.parametrize(
    ("origin", "is_replaced"), [(Trigger.SCHEDULE, True), (Trigger.MANUAL, False), (Trigger.EVENT, False)]
)
def test_a_run_of_the_schedule_replaces_only_a_retry_of_the_schedule(
    catch_up: CatchUp, origin: Trigger, is_replaced: bool
) -> None:
    job = a_due_job(minutes=3, catch_up=catch_up)
    retry_at = database_now() + DAY
    JobState.objects.filter(pk=job.pk).update(
        retry_at=retry_at, retry_attempt=1, retry_of=1, retry_origin=origin, retry_status=Status.FAILED
    )
    assert claimed().trigger == Trigger.SCHEDULE
    state = state_of(job)
    expected = (None, None, "") if is_replaced else (retry_at, 1, origin)
    assert (state.retry_at, state.retry_of, state.retry_origin) == expected
    assert state.failures == int(is_replaced), "a chain that will not be continued has ended"


def test_the_scheduled_times_of_a_job_in_a_full_group_wait_and_then_run_in_order() -> None:
    group = Group.objects.create(name="one at a time", limit=1)
    other = run_now(a_booked_job(cron="0 0 1 1 *", group=group), by="ann")
    job, now = each(minutes=3, group=group), database_now()
    first = state_of(job).next_instant
    assert first is not None
    for _each in range(2):
        assert tick(now=now).claimed == []
    assert ranges(job) == [], "none is skipped"
    ended(other)
    assert [ended(claimed(now)).scheduled_for for _each in range(3)] == [first + n * MINUTE for n in range(3)]


def test_a_dependent_with_one_run_for_each_follows_its_dependee_time_by_time() -> None:
    since = minutes_ago(3)
    dependee, dependent, now = each(since=since), each(since=since), database_now()
    a_dependency(dependent, dependee, wait_for_next_run=True)
    for _each in range(3):
        run = claimed(now)
        assert run.job_id == dependee.pk
        found = {each.job_id: each for each in tick(now=now).claimed}
        assert found[dependent.pk].scheduled_for == found[dependent.pk].covered_until == run.scheduled_for
        assert tick(now=now).claimed == []
        ended(found[dependent.pk])
        assert tick(now=now).claimed == [], "the next time of the dependee has not begun"
        ended(run)


def test_a_dependent_with_one_run_for_the_last_runs_for_the_last_time_that_is_ready() -> None:
    since, now = minutes_ago(5), database_now()
    dependee, dependent = a_booked_job(since=since), a_booked_job(since=since, catch_up=CatchUp.LATEST)
    a_dependency(dependent, dependee, wait_for_next_run=True)
    [first] = tick(only=[dependee.pk], now=now - 2 * MINUTE).claimed
    ended(first)
    [run] = tick(only=[dependent.pk], now=now).claimed
    assert run.scheduled_for == run.covered_until == first.covered_until
    assert run.covered_until is not None
    assert ranges(dependent)[0] == (
        first.scheduled_for, run.covered_until - MINUTE, Status.SKIPPED, Code.CATCH_UP
    )  # fmt: skip


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

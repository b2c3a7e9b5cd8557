"""Catch-up: the next scheduled time waits for runs, retries, groups and dependees."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due, explanations
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.lifecycle import claim_plan
from chroniker.models import CatchUp, Group, JobState, Status, Trigger
from chroniker.reasons import Code
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import claim_after_run, tick
from tests.integration.lifecycle.backlogs import each, ranges
from tests.integration.lifecycle.steps import claimed, ended
from tests.support.factories import a_booked_job, a_dependency, a_due_job, minutes_ago, state_of

MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)


def test_one_run_for_each_retries_before_the_next_scheduled_time() -> None:
    job = each(minutes=3, max_retries=1)
    now = database_now()
    ended(claimed(now=now))
    second = ended(claimed(now=now), Status.FAILED)
    retry = claimed()
    assert (retry.trigger, retry.attempt, retry.instant) == (Trigger.RETRY, 2, second.instant)
    ended(retry)
    third = claimed(now=now)
    assert (third.trigger, third.scheduled_for) == (Trigger.SCHEDULE, second.instant + MINUTE)  # type: ignore[operator]
    assert job.pk == third.job_id


def test_the_next_scheduled_time_waits_while_a_retry_is_pending_and_the_reason_says_so() -> None:
    job = each(minutes=3, max_retries=1, retry_backoff_seconds=3600)
    ended(claimed(), Status.FAILED)
    assert tick().claimed == []
    state = JobState.objects.select_related("job").get(pk=job.pk)
    found = explanations.explain_why_not_running([state], database_now())[job.pk]
    assert found.text.startswith("It failed and will be retried at ")
    assert found.is_held
    assert state_of(job).failures == 0, "the chain continues"


def test_a_retry_of_a_run_by_hand_does_not_keep_the_scheduled_times_waiting() -> None:
    job = each(minutes=2, max_retries=1, retry_backoff_seconds=3600)
    ended(run_now(job, requested_by="ann"), Status.FAILED)
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
    other = run_now(a_booked_job(cron="0 0 1 1 *", group=group), requested_by="ann")
    job, now = each(minutes=3, group=group), database_now()
    first = state_of(job).next_instant
    assert first is not None
    for _each in range(2):
        assert tick(now=now).claimed == []
    assert ranges(job) == [], "none is skipped"
    ended(other)
    assert [ended(claimed(now=now)).scheduled_for for _each in range(3)] == [first + n * MINUTE for n in range(3)]


def test_a_dependent_with_one_run_for_each_follows_its_dependee_time_by_time() -> None:
    since = minutes_ago(3)
    dependee, dependent, now = each(since=since), each(since=since), database_now()
    a_dependency(dependent, dependee, wait_for_next_run=True)
    for _each in range(3):
        run = claimed(now=now)
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


def test_all_scheduled_times_before_that_of_the_dependee_are_ready() -> None:
    job = a_due_job(minutes=3)
    now = database_now()
    state = due.find_due_jobs(SCHEDULED, now, [job.pk]).get()
    assert state.next_instant is not None
    second = state.next_instant + MINUTE
    for ready_until, last in ((second, state.next_instant), (second + dt.timedelta(microseconds=1), second)):
        [run] = claim_plan.plan_scheduled_run(state, now, ready_until).runs
        assert run.covered_until == last

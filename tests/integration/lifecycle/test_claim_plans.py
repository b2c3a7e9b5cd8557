"""Which scheduled times and activations a planned claim takes and which it skips, at the moments that decide it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chroniker import lifecycle
from chroniker.lifecycle import claim_plan
from chroniker.lifecycle.event_plan import plan_run_for_activations
from chroniker.models import Blackout, Calendar, CatchUp, Job, JobState
from chroniker.reasons import Code
from chroniker.schedule import jitter
from tests.integration.lifecycle.triggered_jobs import a_target, activated
from tests.support.factories import a_booked_job

SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)
#: The first scheduled time of each job.
FIRST = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


def a_state(**fields: Any) -> JobState:
    """The state of a job whose first scheduled time is ``FIRST``."""
    job = a_booked_job(since=FIRST - SECOND, **fields)
    return JobState.objects.select_related("job").get(pk=job.pk)


def a_delayed_state(**fields: Any) -> tuple[JobState, dt.datetime]:
    """The state of a job with a jitter of half an hour and more, and the moment at which ``FIRST`` is due."""
    free = Job.objects.count() + 1_000_000
    pk = next(pk for pk in range(free, free + 1000) if jitter(pk, 3600) > 30 * MINUTE)
    return a_state(pk=pk, jitter_seconds=3600, **fields), FIRST + jitter(pk, 3600)


def closed(**spans: tuple[int, int]) -> Calendar:
    """A calendar with a blackout of each name: from a minute after ``FIRST`` (included) to another (excluded)."""
    calendar = Calendar.objects.create(name="moves")
    for name, (begin, until) in spans.items():
        Blackout.objects.create(
            calendar=calendar, name=name, starts_at=FIRST + begin * MINUTE, ends_at=FIRST + until * MINUTE
        )
    return calendar


def rows(plan: lifecycle.Plan) -> list[tuple[str, float, float]]:
    """What the plan writes: the reason of a skip or the status, and the range in minutes after ``FIRST``."""
    found = []
    for run in plan.runs:
        assert run.scheduled_for is not None and run.covered_until is not None
        low, high = ((moment - FIRST) / MINUTE for moment in (run.scheduled_for, run.covered_until))
        found.append((run.code or str(run.status), low, high))
    return found


def test_a_scheduled_time_that_comes_in_this_moment_is_covered() -> None:
    plan = claim_plan.plan_scheduled_run(a_state(), FIRST + MINUTE)
    assert rows(plan) == [("CLAIMED", 0, 1)]
    assert plan.state_after.next_instant == FIRST + 2 * MINUTE


def test_a_scheduled_time_that_comes_in_this_moment_runs_after_those_that_were_missed() -> None:
    plan = claim_plan.plan_scheduled_run(a_state(misfire_grace_seconds=30), FIRST + 2 * MINUTE)
    assert rows(plan) == [(Code.MISSED, 0, 1), ("CLAIMED", 2, 2)]


def test_the_misfire_grace_begins_after_the_jitter() -> None:
    state, due = a_delayed_state(misfire_grace_seconds=60)
    assert rows(claim_plan.plan_scheduled_run(state, due + 59 * SECOND)) == [("CLAIMED", 0, 0)]
    assert rows(claim_plan.plan_scheduled_run(state, due + 61 * SECOND)) == [(Code.MISSED, 0, 0), ("CLAIMED", 1, 1)]


def test_a_time_that_was_missed_is_skipped_although_the_next_time_waits_for_a_dependee() -> None:
    state, pending = a_state(misfire_grace_seconds=30), FIRST + dt.timedelta(microseconds=1)
    plan = claim_plan.plan_scheduled_run(state, FIRST + MINUTE, ready_until=pending)
    assert rows(plan) == [(Code.MISSED, 0, 0)]
    assert plan.state_after.next_instant == FIRST + MINUTE


def test_missed_times_before_a_blackout_are_recorded_apart_from_it_and_the_open_times_run() -> None:
    state = a_state(misfire_grace_seconds=390, calendar=closed(move=(4, 7)))
    plan = claim_plan.plan_scheduled_run(state, FIRST + 10 * MINUTE)
    assert rows(plan) == [(Code.MISSED, 0, 3), (Code.BLACKOUT, 4, 6), ("CLAIMED", 7, 10)]


def test_missed_times_before_a_blackout_that_begins_in_this_moment() -> None:
    state = a_state(misfire_grace_seconds=30, calendar=closed(move=(2, 5)))
    plan = claim_plan.plan_scheduled_run(state, FIRST + 2 * MINUTE)
    assert rows(plan) == [(Code.MISSED, 0, 1), (Code.BLACKOUT, 2, 2)]
    assert plan.state_after.next_instant == FIRST + 3 * MINUTE


def test_of_two_blackouts_that_meet_in_this_moment_both_are_recorded() -> None:
    state = a_state(calendar=closed(first=(0, 3), second=(3, 9)))
    plan = claim_plan.plan_scheduled_run(state, FIRST + 3 * MINUTE)
    assert rows(plan) == [(Code.BLACKOUT, 0, 2), (Code.BLACKOUT, 3, 3)]
    assert plan.state_after.next_instant == FIRST + 4 * MINUTE


def test_the_only_time_of_a_job_that_runs_once_may_lie_in_a_blackout() -> None:
    state = a_state(frequency="ONCE", cron="", run_at=FIRST, calendar=closed(move=(0, 3)))
    plan = claim_plan.plan_scheduled_run(state, FIRST + MINUTE)
    assert rows(plan) == [(Code.BLACKOUT, 0, 0)]
    assert (plan.state_after.next_instant, plan.state_after.next_run) == (None, None)


def test_all_times_during_a_run_are_skipped_at_once_up_to_this_moment() -> None:
    plan = claim_plan.plan_skip_of_overlapped_instants(a_state(overlap="SKIP"), FIRST + 2 * MINUTE)
    assert rows(plan) == [(Code.OVERLAP, 0, 2)]
    assert plan.state_after.next_instant == FIRST + 3 * MINUTE
    first = claim_plan.plan_skip_of_overlapped_instants(a_state(overlap="SKIP"), FIRST)
    assert rows(first) == [(Code.OVERLAP, 0, 0)]


def test_a_time_whose_jitter_is_not_over_is_not_skipped_during_a_run() -> None:
    state, due = a_delayed_state(overlap="SKIP")
    plan = claim_plan.plan_skip_of_overlapped_instants(state, due)
    assert rows(plan) == [(Code.OVERLAP, 0, 0)]
    assert plan.state_after.next_run == due + MINUTE


def test_a_blackout_holds_a_job_until_the_moment_of_its_first_open_time() -> None:
    state = a_state(overlap="REPLACE", calendar=closed(move=(0, 3)))
    moments = (2 * MINUTE, 3 * MINUTE - SECOND, 3 * MINUTE, 4 * MINUTE)
    found = [claim_plan.are_all_due_instants_in_blackouts(state, FIRST + after) for after in moments]
    assert found == [True, True, False, False]


def test_a_blackout_holds_a_job_with_jitter_until_its_first_open_time_is_due() -> None:
    state, due = a_delayed_state(overlap="REPLACE", calendar=closed(move=(0, 3)))
    moments = (3 * MINUTE - SECOND, 3 * MINUTE)
    assert [claim_plan.are_all_due_instants_in_blackouts(state, due + after) for after in moments] == [True, False]


def test_one_run_for_the_last_takes_the_last_activation_and_passes_over_all_others() -> None:
    target = a_target(catch_up=CatchUp.LATEST)
    *others, last = activated(target, 3)
    state = JobState.objects.select_related("job").get(pk=target.pk)
    plan = plan_run_for_activations(state, last.made_at, [*others, last])
    assert plan.taken_activations == [last.pk]
    assert plan.activations_without_run == [(each.pk, Code.LATER) for each in others]
    [run] = plan.runs
    assert (run.instant, run.instant_until) == (last.instant, last.instant)

"""Activations: when a run is claimed for them, and what they wait for."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due, waiting_activations
from chroniker.eligibility.claim_kinds import EVENT
from chroniker.insights.job_status import fetch_job_status
from chroniker.lifecycle import claim_plan
from chroniker.models import (
    EVERY_HOST,
    Activation,
    CatchUp,
    Group,
    Host,
    HostService,
    Job,
    JobState,
    Lease,
    Overlap,
    Run,
    Status,
    Trigger,
)
from chroniker.reasons import Code
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import claim_after_run, tick
from tests.integration.lifecycle.steps import claimed, ended
from tests.integration.lifecycle.triggered_jobs import a_pair, a_target, activated, an_activation, waiting
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started, state_of

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)


def test_a_claim_of_the_target_ends_its_activation() -> None:
    first, second = a_pair()
    source_run = ended(claimed(first))
    run = claimed(second)
    assert (run.trigger, run.origin, run.cause, run.depth) == (Trigger.EVENT, Trigger.EVENT, source_run.pk, 1)
    assert (run.scheduled_for, run.instant, run.instant_until) == (
        None,
        source_run.instant_until,
        source_run.instant_until,
    )
    [made] = Activation.objects.all()
    assert (made.outcome, made.run, made.code) == (Activation.Outcome.RUN, run.pk, "")
    assert made.ended_at is not None
    ended(run)
    assert not any(each.job_id == second.pk for each in tick().claimed)


def test_the_end_of_a_run_claims_the_jobs_that_it_starts() -> None:
    first, second = a_pair()
    ended(claimed(first))
    claim_after_run(first.pk)
    assert Run.objects.get(job=second).status == Status.CLAIMED


@pytest.mark.parametrize(
    ("catch_up", "runs", "passed"), [(CatchUp.COALESCE, 1, 0), (CatchUp.LATEST, 1, 4), (CatchUp.EACH, 5, 0)]
)
def test_the_catch_up_decides_about_several(catch_up: CatchUp, runs: int, passed: int) -> None:
    target = a_target(catch_up=catch_up, misfire_grace_seconds=86_400)
    made = activated(target, 5)
    found = []
    while claims := tick().claimed:
        found += [ended(run) for run in claims]
    assert len(found) == runs
    assert Activation.objects.filter(outcome=Activation.Outcome.PASSED, code=Code.LATER).count() == passed
    assert waiting(target) == []
    assert found[-1].instant_until == made[-1].instant
    if catch_up == CatchUp.COALESCE:
        assert found[0].instant == made[0].instant
    if catch_up == CatchUp.EACH:
        assert [run.instant for run in found] == [each.instant for each in made]


def test_one_with_arguments_gets_a_run_of_its_own_in_its_turn() -> None:
    target = a_target(catch_up=CatchUp.LATEST)
    made = activated(target, 5)
    Activation.objects.filter(pk__in=[made[2].pk]).update(args=["a b", "{{ job }}", "--x"])
    found = []
    while claims := tick().claimed:
        found += [ended(run) for run in claims]
    assert [run.instant_until for run in found] == [made[1].instant, made[2].instant, made[4].instant]
    assert [run.argv for run in found] == [["noop"], ["noop", "a b", "{{ job }}", "--x"], ["noop"]]


def test_those_older_than_the_misfire_grace_are_passed_over() -> None:
    target = a_target(misfire_grace_seconds=90)
    made = activated(target, 4)
    run = claimed(target)
    assert run.instant == made[-1].instant
    assert Activation.objects.filter(code=Code.TOO_OLD).count() == 3
    ended(run)
    Activation.objects.update(ended_at=None, outcome="", made_at=database_now() - HOUR)
    assert tick().claimed == []
    assert waiting(target) == []


def test_one_exactly_as_old_as_the_misfire_grace_is_not_too_old() -> None:
    target = a_target(misfire_grace_seconds=90, catch_up=CatchUp.LATEST)
    now = database_now()
    oldest, last = (an_activation(target, made_at=now - dt.timedelta(seconds=seconds)) for seconds in (90, 0))
    assert len(tick(now=now).claimed) == 1
    assert dict(Activation.objects.values_list("pk", "code")) == {oldest.pk: Code.LATER, last.pk: ""}


def test_it_waits_for_a_pending_retry() -> None:
    target = a_target(max_retries=1, retry_backoff_seconds=3600)
    an_activation(target)
    ended(claimed(target), Status.FAILED)
    an_activation(target)
    assert tick().claimed == []
    JobState.objects.filter(pk=target.pk).update(retry_at=database_now())
    retry = claimed(target)
    assert (retry.trigger, retry.origin) == (Trigger.RETRY, Trigger.EVENT)
    ended(retry)
    assert claimed(target).trigger == Trigger.EVENT


def test_a_failed_event_holds_its_job_and_further_ones_wait() -> None:
    target = a_target(hold_on_failure=True)
    an_activation(target)
    failed = ended(claimed(target), Status.FAILED)
    assert state_of(target).held_by_run == failed.token
    an_activation(target)
    assert tick().claimed == []
    lifecycle.resume_jobs([target.pk])
    assert claimed(target).trigger == Trigger.EVENT


def test_it_waits_for_dependencies_groups_and_pauses() -> None:
    target, other = a_target(), a_booked_job()
    dependency = a_dependency(target, other, wait_for_success=True)
    an_activation(target)
    assert tick().claimed == []
    dependency.delete()
    group = Group.objects.create(name="night", limit=0, paused_at=database_now())
    Job.objects.filter(pk=target.pk).update(group=group)
    assert tick().claimed == []
    Group.objects.update(paused_at=None, limit=1)
    assert claimed(target).trigger == Trigger.EVENT


def test_the_page_says_what_it_waits_for() -> None:
    target, other = a_target(), a_booked_job(name="load", cron="0 0 1 1 *")
    a_dependency(target, other, wait_for_success=True)
    an_activation(target)
    assert tick().claimed == []
    found = fetch_job_status([target])[target.pk].why
    assert found == "It is due, but waits for “load” to succeed. 1 activation waits for it."
    ended(run_now(other, requested_by="ann"))
    assert claimed(target).trigger == Trigger.EVENT


def test_those_that_wait_for_some_jobs_are_counted() -> None:
    target, other = a_target(), a_target()
    activated(target, 2)
    activated(other, 1)
    assert waiting_activations.count_waiting_activations_by_job([target.pk]) == {target.pk: 2}


@pytest.mark.parametrize("overlap", Overlap)
def test_a_scheduled_time_waits_for_the_run_of_an_event_or_is_skipped_and_never_stops_it(overlap: Overlap) -> None:
    job = a_booked_job(overlap=overlap)
    an_activation(job)
    run = claimed(job)
    started(run)
    at = state_of(job).next_run
    assert at is not None
    tick(now=at)
    run.refresh_from_db()
    assert (run.status, run.stop_requested_at) == (Status.RUNNING, None)
    assert Run.objects.filter(job=job, code=Code.OVERLAP).exists() == (overlap == Overlap.SKIP)


def test_the_turn_of_a_dependee_is_no_condition() -> None:
    target, other = a_target(), a_due_job()
    a_dependency(target, other, wait_for_next_run=True)
    an_activation(target)
    assert target.pk in {run.job_id for run in tick().claimed}


def test_a_claim_of_the_schedule_takes_none() -> None:
    job = a_due_job()
    an_activation(job)
    run = claimed(job)
    assert run.trigger == Trigger.SCHEDULE
    assert len(waiting(job)) == 1
    ended(run)
    assert claimed(job).trigger == Trigger.EVENT


def test_two_claims_of_one_activation_give_one_run() -> None:
    """The second plan was drawn from the same rows; the revision of the state refuses it."""
    target = a_target()
    an_activation(target)
    now = database_now()
    plans = []
    for _claimer in range(2):
        states = list(due.find_due_jobs(EVENT, now))
        found = waiting_activations.read_waiting_activations_by_job(states)
        plans.append([claim_plan.make_claim_plan(EVENT, state, now, waiting=found[state.pk]) for state in states])
    assert len(lifecycle.claim(plans[0], now)) == 1
    Lease.objects.all().delete()
    assert lifecycle.claim(plans[1], now) == []


def test_an_event_without_a_live_host_is_accounted_for() -> None:
    target = a_target(hostname=EVERY_HOST)
    an_activation(target)
    tick()
    skipped = Run.objects.get(job=target)
    assert (skipped.status, skipped.code) == (Status.SKIPPED, Code.NO_HOST)
    assert Activation.objects.get().run == skipped.pk


def test_an_activation_names_the_parent_of_a_run_on_every_host() -> None:
    for name in ("a", "b"):
        host = Host.objects.create(name=name, last_seen=database_now())
        HostService.objects.create(host=host, executor="default", last_seen=database_now())
    target = a_target(hostname=EVERY_HOST)
    an_activation(target)
    assert Activation.objects.get().run is None
    parent = claimed(target)
    assert Run.objects.filter(parent=parent.pk).count() == 2
    assert Activation.objects.get().run == parent.pk


def test_the_schedule_stays_where_it_is() -> None:
    job = a_booked_job()
    before = state_of(job)
    an_activation(job)
    run = claimed(job)
    after = state_of(job)
    assert (after.next_instant, after.covered_until) == (before.next_instant, before.covered_until)
    assert run.interval_start and run.instant and run.interval_start < run.instant

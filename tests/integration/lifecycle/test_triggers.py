"""Triggers: each end of a chain starts the jobs that wait for it exactly once, whatever ends it."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due, waiting_activations
from chroniker.eligibility.claim_kinds import EVENT
from chroniker.insights.job_status import fetch_job_status
from chroniker.lifecycle import Outcome, activations, plan
from chroniker.models import (
    EVERY_HOST,
    Activation,
    CatchUp,
    Group,
    Host,
    HostService,
    Job,
    JobState,
    JobTrigger,
    Lease,
    Overlap,
    Run,
    Status,
    Trigger,
    TriggerOn,
)
from chroniker.reasons import Code
from chroniker.scheduler import fleet_work, pending_work
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import book_edited, claim_after_run, expire, tick
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started, state_of

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)
RESULTS = (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.LOST, Status.STOPPED)


def a_target(**fields: Any) -> Job:
    return a_booked_job(**{"frequency": "MANUAL", "cron": "", **fields})


def a_pair(on: TriggerOn = TriggerOn.ENDED, target: dict[str, Any] | None = None, **source: Any) -> tuple[Job, Job]:
    """A due job, and one that it starts."""
    first, second = a_due_job(**{"retry_backoff_seconds": 0, **source}), a_target(**(target or {}))
    JobTrigger.objects.create(source=first, target=second, on=on)
    return first, second


def claimed(job: Job) -> Run:
    return next(run for run in tick().claimed if run.job_id == job.pk and run.slot == "")


def end(run: Run, status: Status = Status.SUCCEEDED) -> Run:
    if status == Status.LOST:
        started(run)
        Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - HOUR)
        expire()
    else:
        assert lifecycle.finish(run.pk, run.token, started(run), Outcome(status))
    return Run.objects.get(pk=run.pk)


def waiting(job: Job) -> list[Activation]:
    return list(Activation.objects.filter(target=job, ended_at=None).order_by("made_at", "pk"))


def an_activation(job: Job, **fields: Any) -> Activation:
    now = database_now()
    return Activation.objects.create(target=job, **{"instant": now, "made_at": now, **fields})


def activated(job: Job, n: int) -> list[Activation]:
    """``n`` waiting ones, a minute apart, the oldest first."""
    now = database_now()
    minutes = [now - dt.timedelta(minutes=n - place) for place in range(n)]
    return [an_activation(job, instant=at, made_at=at) for at in minutes]


# -- what inserts one ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", TriggerOn)
@pytest.mark.parametrize("status", RESULTS)
def test_a_trigger_fires_for_its_results(on: TriggerOn, status: Status) -> None:
    first, second = a_pair(on)
    run = end(claimed(first), status)
    expected = {
        TriggerOn.SUCCEEDED: status == Status.SUCCEEDED,
        TriggerOn.FAILED: status in (Status.FAILED, Status.TIMED_OUT, Status.LOST),
        TriggerOn.ENDED: True,
    }[on]
    found = waiting(second)
    assert len(found) == expected
    if expected:
        [made] = found
        assert (made.cause, made.cause_job, made.instant, made.depth) == (run.pk, first.name, run.instant_until, 1)


def test_only_the_end_of_the_chain_fires() -> None:
    first, second = a_pair(max_retries=2)
    for _attempt in range(2):
        end(claimed(first), Status.FAILED)
        assert waiting(second) == []
    last = end(claimed(first))
    assert [each.cause for each in waiting(second)] == [last.pk]


def test_a_claim_that_replaces_a_pending_retry_ends_its_chain() -> None:
    first, second = a_pair(TriggerOn.FAILED, max_retries=1, retry_backoff_seconds=3600)
    failed = end(claimed(first), Status.FAILED)
    assert waiting(second) == []
    at = database_now()
    JobState.objects.filter(pk=first.pk).update(next_run=at, next_instant=at)
    replacing = claimed(first)
    assert [each.cause for each in waiting(second)] == [failed.pk]
    end(replacing)
    assert len(waiting(second)) == 1


def test_a_claim_that_is_repeated_after_a_conflict_ends_the_chain_too(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = a_pair(TriggerOn.FAILED, max_retries=1, retry_backoff_seconds=3600)
    failed = end(claimed(first), Status.FAILED)
    at = database_now()
    JobState.objects.filter(pk=first.pk).update(next_run=at, next_instant=at)
    record, tries = activations.record_ends, []

    def record_and_conflict(*arguments: Any) -> None:
        record(*arguments)
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("database is locked")

    monkeypatch.setattr(activations, "record_ends", record_and_conflict)
    claimed(first)
    assert len(tries) == 2
    assert [each.cause for each in waiting(second)] == [failed.pk]


def test_a_run_of_the_schedule_that_fails_ends_the_chain_of_a_run_by_hand() -> None:
    first, second = a_pair(TriggerOn.FAILED, max_retries=1, retry_backoff_seconds=3600)
    end(claimed(first))
    by_hand = end(run_now(first, by="ann"), Status.FAILED)
    at = database_now()
    JobState.objects.filter(pk=first.pk).update(next_run=at, next_instant=at)
    end(claimed(first), Status.FAILED)
    assert [each.cause for each in waiting(second)] == [by_hand.pk]


def test_disabling_a_job_ends_the_chain_of_its_pending_retry() -> None:
    first, second = a_pair(TriggerOn.FAILED, max_retries=1, retry_backoff_seconds=3600)
    failed = end(claimed(first), Status.FAILED)
    Job.objects.filter(pk=first.pk).update(enabled=False)
    book_edited(database_now())
    book_edited(database_now())
    assert [each.cause for each in waiting(second)] == [failed.pk]


def test_a_job_that_is_lost_again_and_again_fires_when_it_is_held() -> None:
    first, second = a_pair(TriggerOn.FAILED, retry_on_lost=True, hold_on_failure=True)
    for _attempt in range(3):
        assert waiting(second) == []
        run = end(claimed(first), Status.LOST)
    assert [each.cause for each in waiting(second)] == [run.pk]


def test_a_run_that_is_cancelled_before_it_starts_fires_once() -> None:
    first, second = a_pair()
    run = claimed(first)
    lifecycle.request_stop(run.pk, "ann")
    lifecycle.request_stop(run.pk, "ann")
    assert [each.cause for each in waiting(second)] == [run.pk]


def test_skipped_instants_fire_nothing() -> None:
    first, second = a_pair(misfire_grace_seconds=1)
    tick()
    assert Run.objects.filter(job=first, status=Status.SKIPPED).exists()
    assert waiting(second) == []


def test_the_parent_of_a_run_on_every_host_fires_once() -> None:
    for name in ("a", "b"):
        host = Host.objects.create(name=name, last_seen=database_now())
        HostService.objects.create(host=host, executor="default", last_seen=database_now())
    first, second = a_pair(hostname=EVERY_HOST)
    parent = claimed(first)
    for child in Run.objects.filter(parent=parent.pk).order_by("token"):
        assert waiting(second) == []
        assert lifecycle.finish(child.pk, child.token, started(child, child.required_host), Outcome(Status.SUCCEEDED))
    assert [each.cause for each in waiting(second)] == [parent.pk]


def test_a_repeated_report_of_the_end_inserts_nothing() -> None:
    first, second = a_pair()
    run = claimed(first)
    nonce = started(run)
    for _time in range(2):
        assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))
    assert len(waiting(second)) == 1


def test_the_close_and_its_activations_are_one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    first, _second = a_pair()
    run = claimed(first)
    nonce = started(run)
    monkeypatch.setattr(activations, "_insert", lambda *_: (_ for _ in ()).throw(RuntimeError))
    with pytest.raises(RuntimeError):
        lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))
    assert Run.objects.get(pk=run.pk).status == Status.RUNNING


@pytest.mark.database("postgres", "mariadb")
def test_a_long_edit_of_the_target_does_not_hold_up_the_end_of_its_source() -> None:
    """An activation has no foreign key in the database: MariaDB would lock the row of the target for it."""
    _source, target = a_pair()
    [run] = tick().claimed
    nonce = started(run)

    def finish() -> bool:
        with closing(connection):
            return lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))

    with ThreadPoolExecutor(1) as other, transaction.atomic():
        list(Job.objects.select_for_update().filter(pk=target.pk))
        assert other.submit(finish).result(timeout=60)
    assert Activation.objects.filter(target=target.pk).count() == 1


def test_the_database_refuses_a_second_activation_for_one_end() -> None:
    first, second = a_pair()
    end(claimed(first))
    [made] = waiting(second)
    with pytest.raises(IntegrityError), transaction.atomic():
        an_activation(second, trigger=made.trigger, cause=made.cause)


def test_a_disabled_target_is_passed_over() -> None:
    first, second = a_pair(target={"enabled": False})
    end(claimed(first))
    [made] = Activation.objects.all()
    assert (made.target_id, made.outcome, made.code) == (second.pk, Activation.Outcome.PASSED, Code.DISABLED)


def test_disabling_a_target_passes_over_what_waits_for_it() -> None:
    first, second = a_pair()
    end(claimed(first))
    Job.objects.filter(pk=second.pk).update(enabled=False)
    tick()
    [made] = Activation.objects.all()
    assert (made.outcome, made.code, made.run) == (Activation.Outcome.PASSED, Code.DISABLED, None)


def test_what_was_inserted_while_its_target_was_being_disabled_is_passed_over() -> None:
    target = a_target(enabled=False)
    an_activation(target)
    assert pending_work.find().edits
    tick()
    assert Activation.objects.get().code == Code.DISABLED
    assert not pending_work.find().edits


def test_two_jobs_that_start_each_other_end_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activations, "MOST_DEEP", 4)
    first, second = a_pair()
    JobTrigger.objects.create(source=second, target=first, on=TriggerOn.ENDED)
    end(claimed(first))
    for _round in range(10):
        for run in tick().claimed:
            end(run)
    refused = Activation.objects.get(outcome=Activation.Outcome.REFUSED)
    assert (refused.depth, refused.code) == (5, Code.TOO_DEEP)
    assert Activation.objects.filter(ended_at=None).count() == 0


def test_a_retry_is_as_deep_as_its_first_attempt() -> None:
    _first, second = a_pair(target={"max_retries": 1, "retry_backoff_seconds": 0})
    an_activation(second, depth=7)
    end(claimed(second), Status.FAILED)
    assert claimed(second).depth == 7


def test_more_than_the_limit_do_not_wait_for_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_activations, "MOST_WAITING", 2)
    first, second = a_pair()
    run_now(second, by="ann")  # so that no claim takes them
    activated(second, 1)
    end(claimed(first))
    end(run_now(first, by="ann"))
    assert len(waiting(second)) == 2
    refused = Activation.objects.get(outcome=Activation.Outcome.REFUSED)
    assert refused.code == Code.TOO_MANY


def test_a_deleted_source_leaves_what_waits() -> None:
    first, second = a_pair()
    end(claimed(first))
    first.delete()
    assert len(waiting(second)) == 1
    assert not JobTrigger.objects.exists()


@pytest.mark.parametrize("is_deleted", [False, True])
def test_an_edited_or_deleted_trigger_leaves_what_waits(is_deleted: bool) -> None:
    first, second = a_pair(TriggerOn.SUCCEEDED)
    ended = end(claimed(first))
    if is_deleted:
        JobTrigger.objects.all().delete()
    else:
        JobTrigger.objects.update(target=a_target(), on=TriggerOn.FAILED)
    run = claimed(second)
    assert (run.cause, run.origin) == (ended.pk, Trigger.EVENT)


def test_one_that_has_ended_is_kept_for_30_days() -> None:
    """Until then a request with its key changes nothing."""
    target, now = a_target(), database_now()
    for key, days in (("old", 31), ("kept", 29), ("waiting", 90)):
        at = now - dt.timedelta(days=days)
        an_activation(target, key=key, made_at=at, ended_at=None if key == "waiting" else at)
    fleet_work.delete_old_records(now)
    assert set(Activation.objects.values_list("key", flat=True)) == {"kept", "waiting"}


def test_the_activations_of_a_deleted_target_go_with_it() -> None:
    first, second = a_pair()
    end(claimed(first))
    second.delete()
    assert not Activation.objects.exists()


def test_one_that_was_inserted_while_its_target_was_being_deleted_is_deleted_later() -> None:
    kept, target = a_target(), a_target()
    an_activation(kept)
    now = database_now()
    target.delete()
    Activation.objects.create(target_id=target.pk or 10**9, instant=now, made_at=now)
    fleet_work.delete_old_records(now)
    assert [each.target_id for each in Activation.objects.all()] == [kept.pk]


# -- what ends one ---------------------------------------------------------------------------------------------------


def test_a_claim_of_the_target_ends_its_activation() -> None:
    first, second = a_pair()
    ended = end(claimed(first))
    run = claimed(second)
    assert (run.trigger, run.origin, run.cause, run.depth) == (Trigger.EVENT, Trigger.EVENT, ended.pk, 1)
    assert (run.scheduled_for, run.instant, run.instant_until) == (None, ended.instant_until, ended.instant_until)
    [made] = Activation.objects.all()
    assert (made.outcome, made.run, made.code) == (Activation.Outcome.RUN, run.pk, "")
    assert made.ended_at is not None
    end(run)
    assert not any(each.job_id == second.pk for each in tick().claimed)


def test_the_end_of_a_run_claims_the_jobs_that_it_starts() -> None:
    first, second = a_pair()
    end(claimed(first))
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
        found += [end(run) for run in claims]
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
        found += [end(run) for run in claims]
    assert [run.instant_until for run in found] == [made[1].instant, made[2].instant, made[4].instant]
    assert [run.argv for run in found] == [["noop"], ["noop", "a b", "{{ job }}", "--x"], ["noop"]]


def test_those_older_than_the_misfire_grace_are_passed_over() -> None:
    target = a_target(misfire_grace_seconds=90)
    made = activated(target, 4)
    run = claimed(target)
    assert run.instant == made[-1].instant
    assert Activation.objects.filter(code=Code.TOO_OLD).count() == 3
    end(run)
    Activation.objects.update(ended_at=None, outcome="", made_at=database_now() - HOUR)
    assert tick().claimed == []
    assert waiting(target) == []


def test_it_waits_for_a_pending_retry() -> None:
    target = a_target(max_retries=1, retry_backoff_seconds=3600)
    an_activation(target)
    end(claimed(target), Status.FAILED)
    an_activation(target)
    assert tick().claimed == []
    JobState.objects.filter(pk=target.pk).update(retry_at=database_now())
    retry = claimed(target)
    assert (retry.trigger, retry.origin) == (Trigger.RETRY, Trigger.EVENT)
    end(retry)
    assert claimed(target).trigger == Trigger.EVENT


def test_a_failed_event_holds_its_job_and_further_ones_wait() -> None:
    target = a_target(hold_on_failure=True)
    an_activation(target)
    failed = end(claimed(target), Status.FAILED)
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
    end(run_now(other, by="ann"))
    assert claimed(target).trigger == Trigger.EVENT


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
    end(run)
    assert claimed(job).trigger == Trigger.EVENT


def test_two_claims_of_one_activation_give_one_run() -> None:
    """The second plan was drawn from the same rows; the revision of the state refuses it."""
    target = a_target()
    an_activation(target)
    now = database_now()
    plans = []
    for _claimer in range(2):
        states = list(due.find(EVENT, now))
        found = waiting_activations.read(states)
        plans.append([plan.make(EVENT, state, now, waiting=found[state.pk]) for state in states])
    assert len(lifecycle.claim(plans[0], now)) == 1
    Lease.objects.all().delete()
    assert lifecycle.claim(plans[1], now) == []


def test_discarding_ends_what_waits_and_refuses_a_planned_claim() -> None:
    target = a_target()
    activated(target, 3)
    now = database_now()
    states = list(due.find(EVENT, now))
    found = waiting_activations.read(states)
    planned = [plan.make(EVENT, state, now, waiting=found[state.pk]) for state in states]
    assert lifecycle.pass_waiting([target.pk], Code.DISCARDED) == 3
    assert lifecycle.claim(planned, now) == []
    assert set(Activation.objects.values_list("outcome", "code")) == {("PASSED", "DISCARDED")}


def test_too_many_activations_for_one_statement_are_ended_by_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activations, "PORTION", 2)
    target = a_target()
    activated(target, 5)
    assert lifecycle.pass_waiting([target.pk], Code.DISCARDED) == 5
    activated(target, 5)
    [run] = tick().claimed
    assert Activation.objects.filter(run=run.pk).count() == 5


def test_a_pass_reads_a_limited_number_of_activations_and_the_next_pass_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting_activations, "MOST_READ_AT_ONCE", 4)
    first, second, third = a_target(), a_target(), a_target()
    for target in (first, second, third):
        activated(target, 3)
    assert [[run.job_id for run in tick().claimed] for _each in range(3)] == [[first.pk], [second.pk], [third.pk]]
    assert not waiting(first) and not waiting(second) and not waiting(third)


def test_a_single_target_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_activations, "MOST_READ_AT_ONCE", 2)
    activated(a_target(), 5)
    tick()
    assert Activation.objects.filter(outcome=Activation.Outcome.RUN).count() == 3


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

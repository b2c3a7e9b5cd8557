"""Activations that get no run: disabled and deleted jobs, limits, and what is discarded."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due, waiting_activations
from chroniker.eligibility.claim_kinds import EVENT
from chroniker.lifecycle import activations, claim_plan
from chroniker.models import Activation, Job, JobTrigger, Status, Trigger, TriggerOn
from chroniker.reasons import Code
from chroniker.scheduler import fleet_work, pending_work
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.steps import claimed, ended
from tests.integration.lifecycle.triggered_jobs import a_pair, a_target, activated, an_activation, waiting
from tests.support.factories import state_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_disabled_target_is_passed_over() -> None:
    first, second = a_pair(target={"enabled": False})
    ended(claimed(first))
    [made] = Activation.objects.all()
    assert (made.target_id, made.outcome, made.code) == (second.pk, Activation.Outcome.PASSED, Code.DISABLED)


def test_disabling_a_target_passes_over_what_waits_for_it() -> None:
    first, second = a_pair()
    ended(claimed(first))
    Job.objects.filter(pk=second.pk).update(enabled=False)
    tick()
    [made] = Activation.objects.all()
    assert (made.outcome, made.code, made.run) == (Activation.Outcome.PASSED, Code.DISABLED, None)


def test_what_was_inserted_while_its_target_was_being_disabled_is_passed_over() -> None:
    target = a_target(enabled=False)
    an_activation(target)
    assert pending_work.find_pending_work().edits
    tick()
    assert Activation.objects.get().code == Code.DISABLED
    assert not pending_work.find_pending_work().edits


def test_two_jobs_that_start_each_other_end_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activations, "MAX_TRIGGER_DEPTH", 4)
    first, second = a_pair()
    JobTrigger.objects.create(source=second, target=first, on=TriggerOn.ENDED)
    ended(claimed(first))
    for _round in range(10):
        for run in tick().claimed:
            ended(run)
    refused = Activation.objects.get(outcome=Activation.Outcome.REFUSED)
    assert (refused.depth, refused.code) == (5, Code.TOO_DEEP)
    assert Activation.objects.filter(ended_at=None).count() == 0


def test_a_retry_is_as_deep_as_its_first_attempt() -> None:
    _first, second = a_pair(target={"max_retries": 1, "retry_backoff_seconds": 0})
    an_activation(second, depth=7)
    ended(claimed(second), Status.FAILED)
    assert claimed(second).depth == 7


def test_more_than_the_limit_do_not_wait_for_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_activations, "MAX_WAITING_ACTIVATIONS", 2)
    first, second = a_pair()
    run_now(second, requested_by="ann")  # so that no claim takes them
    activated(second, 1)
    ended(claimed(first))
    ended(run_now(first, requested_by="ann"))
    assert len(waiting(second)) == 2
    refused = Activation.objects.get(outcome=Activation.Outcome.REFUSED)
    assert refused.code == Code.TOO_MANY


def test_a_deleted_source_leaves_what_waits() -> None:
    first, second = a_pair()
    ended(claimed(first))
    first.delete()
    assert len(waiting(second)) == 1
    assert not JobTrigger.objects.exists()


@pytest.mark.parametrize("is_deleted", [False, True])
def test_an_edited_or_deleted_trigger_leaves_what_waits(is_deleted: bool) -> None:
    first, second = a_pair(TriggerOn.SUCCEEDED)
    source_run = ended(claimed(first))
    if is_deleted:
        JobTrigger.objects.all().delete()
    else:
        JobTrigger.objects.update(target=a_target(), on=TriggerOn.FAILED)
    run = claimed(second)
    assert (run.cause, run.origin) == (source_run.pk, Trigger.EVENT)


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
    ended(claimed(first))
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


def test_discarding_ends_what_waits_and_refuses_a_planned_claim() -> None:
    target = a_target()
    activated(target, 3)
    now = database_now()
    states = list(due.find_due_jobs(EVENT, now))
    found = waiting_activations.read_waiting_activations_by_job(states)
    planned = [claim_plan.make_claim_plan(EVENT, state, now, waiting=found[state.pk]) for state in states]
    assert lifecycle.end_waiting_activations_of_jobs([target.pk], Code.DISCARDED) == 3
    assert lifecycle.claim(planned, now) == []
    assert set(Activation.objects.values_list("outcome", "code")) == {("PASSED", "DISCARDED")}


def test_only_the_activations_of_the_chosen_job_end() -> None:
    """Discarded by a person, or passed over since their job was disabled."""
    discarded, disabled, other = a_target(), a_target(), a_target()
    for target in (discarded, disabled, other):
        an_activation(target)
    before = state_of(other).revision
    assert lifecycle.end_waiting_activations_of_jobs([discarded.pk], Code.DISCARDED) == 1
    Job.objects.filter(pk=disabled.pk).update(enabled=False)
    lifecycle.book_next_instants([disabled.pk], database_now())
    assert [len(waiting(target)) for target in (discarded, disabled, other)] == [0, 0, 1]
    assert state_of(other).revision == before


def test_discarding_where_nothing_waits_refuses_no_planned_claim() -> None:
    target = a_target()
    before = state_of(target).revision
    assert lifecycle.end_waiting_activations_of_jobs([target.pk], Code.DISCARDED) == 0
    assert state_of(target).revision == before


def test_an_edit_of_an_enabled_target_leaves_what_waits() -> None:
    target = a_target()
    an_activation(target)
    Job.objects.filter(pk=target.pk).update(cron="0 0 1 1 *", frequency="CRON")
    lifecycle.book_next_instants([target.pk], database_now())
    assert len(waiting(target)) == 1


def test_too_many_activations_for_one_statement_are_ended_by_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activations, "MAX_IDS_PER_STATEMENT", 2)
    target = a_target()
    activated(target, 5)
    assert lifecycle.end_waiting_activations_of_jobs([target.pk], Code.DISCARDED) == 5
    activated(target, 5)
    [run] = tick().claimed
    assert Activation.objects.filter(run=run.pk).count() == 5


def test_a_pass_reads_a_limited_number_of_activations_and_the_next_pass_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting_activations, "MAX_ACTIVATIONS_READ_PER_PASS", 4)
    first, second, third = a_target(), a_target(), a_target()
    for target in (first, second, third):
        activated(target, 3)
    assert [[run.job_id for run in tick().claimed] for _each in range(3)] == [[first.pk], [second.pk], [third.pk]]
    assert not waiting(first) and not waiting(second) and not waiting(third)


def test_a_single_target_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_activations, "MAX_ACTIVATIONS_READ_PER_PASS", 2)
    activated(a_target(), 5)
    tick()
    assert Activation.objects.filter(outcome=Activation.Outcome.RUN).count() == 3

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
from chroniker.lifecycle import Outcome, activations
from chroniker.models import (
    EVERY_HOST,
    Activation,
    Host,
    HostService,
    Job,
    JobState,
    JobTrigger,
    Run,
    Status,
    Trigger,
    TriggerOn,
)
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import book_edited_jobs, tick
from tests.integration.lifecycle.backfills import a_backfill, daily, tick_until_ended
from tests.integration.lifecycle.child_runs import end
from tests.integration.lifecycle.steps import claimed, ended
from tests.integration.lifecycle.triggered_jobs import a_pair, a_target, an_activation, waiting
from tests.support.factories import started

pytestmark = pytest.mark.django_db(transaction=True)

RESULTS = (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.LOST, Status.STOPPED)


@pytest.mark.parametrize("on", TriggerOn)
@pytest.mark.parametrize("status", RESULTS)
def test_a_trigger_fires_for_its_results(on: TriggerOn, status: Status) -> None:
    first, second = a_pair(on)
    run = ended(claimed(first), status)
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
        ended(claimed(first), Status.FAILED)
        assert waiting(second) == []
    last = ended(claimed(first))
    assert [each.cause for each in waiting(second)] == [last.pk]


def test_a_claim_that_replaces_a_pending_retry_ends_its_chain() -> None:
    first, second = a_pair(TriggerOn.FAILED, max_retries=1, retry_backoff_seconds=3600)
    failed = ended(claimed(first), Status.FAILED)
    assert waiting(second) == []
    at = database_now()
    JobState.objects.filter(pk=first.pk).update(next_run=at, next_instant=at)
    replacing = claimed(first)
    assert [each.cause for each in waiting(second)] == [failed.pk]
    ended(replacing)
    assert len(waiting(second)) == 1


def test_a_claim_that_is_repeated_after_a_conflict_ends_the_chain_too(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = a_pair(TriggerOn.FAILED, max_retries=1, retry_backoff_seconds=3600)
    failed = ended(claimed(first), Status.FAILED)
    at = database_now()
    JobState.objects.filter(pk=first.pk).update(next_run=at, next_instant=at)
    record, tries = activations.insert_activations_of_ended_chains, []

    def record_and_conflict(*arguments: Any) -> None:
        record(*arguments)
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("database is locked")

    monkeypatch.setattr(activations, "insert_activations_of_ended_chains", record_and_conflict)
    claimed(first)
    assert len(tries) == 2
    assert [each.cause for each in waiting(second)] == [failed.pk]


def test_a_run_of_the_schedule_that_fails_ends_the_chain_of_a_run_by_hand() -> None:
    first, second = a_pair(TriggerOn.FAILED, max_retries=1, retry_backoff_seconds=3600)
    ended(claimed(first))
    by_hand = ended(run_now(first, requested_by="ann"), Status.FAILED)
    at = database_now()
    JobState.objects.filter(pk=first.pk).update(next_run=at, next_instant=at)
    ended(claimed(first), Status.FAILED)
    assert [each.cause for each in waiting(second)] == [by_hand.pk]


def test_disabling_a_job_ends_the_chain_of_its_pending_retry() -> None:
    first, second = a_pair(TriggerOn.FAILED, max_retries=1, retry_backoff_seconds=3600)
    failed = ended(claimed(first), Status.FAILED)
    Job.objects.filter(pk=first.pk).update(enabled=False)
    book_edited_jobs(database_now())
    book_edited_jobs(database_now())
    assert [each.cause for each in waiting(second)] == [failed.pk]


def test_the_end_of_a_chain_fires_nothing_for_other_jobs_with_a_chain_of_this_number() -> None:
    first, second = a_pair(TriggerOn.FAILED, max_retries=1, retry_backoff_seconds=3600)
    _other, started_by_other = a_pair(TriggerOn.FAILED)
    for run in tick().claimed:
        assert ended(run, Status.FAILED).chain == 1
    assert [len(waiting(job)) for job in (second, started_by_other)] == [0, 1]
    JobTrigger.objects.update(on=TriggerOn.ENDED)
    Activation.objects.all().delete()
    Job.objects.filter(pk=first.pk).update(enabled=False)
    book_edited_jobs(database_now())
    assert [len(waiting(job)) for job in (second, started_by_other)] == [1, 0]


def test_an_activation_is_late_after_the_time_that_its_target_has_to_start() -> None:
    first, second = a_pair(target={"alert_start_seconds": 100})
    ended(claimed(first))
    [made] = waiting(second)
    assert made.late_at == made.made_at + dt.timedelta(seconds=100)


def test_a_run_of_a_backfill_fires_nothing() -> None:
    first = daily(1)
    second = a_target()
    JobTrigger.objects.create(source=first, target=second, on=TriggerOn.ENDED)
    row = a_backfill(first)
    while tick_until_ended(row):
        pass
    assert row.succeeded == 1 and waiting(second) == []


def test_a_job_that_is_lost_again_and_again_fires_when_it_is_held() -> None:
    first, second = a_pair(TriggerOn.FAILED, retry_on_lost=True, hold_on_failure=True)
    for _attempt in range(3):
        assert waiting(second) == []
        run = ended(claimed(first), Status.LOST)
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


def test_the_last_attempt_fires_if_its_retry_finds_no_live_host() -> None:
    host = Host.objects.create(name="a", last_seen=database_now())
    service = HostService.objects.create(host=host, executor="default", last_seen=database_now())
    first, second = a_pair(TriggerOn.FAILED, hostname=EVERY_HOST, max_retries=1)
    parent = claimed(first)
    end(Run.objects.get(parent=parent.pk), Status.FAILED)
    service.delete()
    tick()
    assert Run.objects.filter(job=first, status=Status.SKIPPED, trigger=Trigger.RETRY).exists()
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
    monkeypatch.setattr(activations, "_insert_activations", lambda *_: (_ for _ in ()).throw(RuntimeError))
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
    ended(claimed(first))
    [made] = waiting(second)
    with pytest.raises(IntegrityError), transaction.atomic():
        an_activation(second, trigger=made.trigger, cause=made.cause)

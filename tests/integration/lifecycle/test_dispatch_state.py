"""When a claim that was not started is dispatched again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test import override_settings
from pytest_django import DjangoAssertNumQueries

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.executors.dummy import DummyExecutor
from chroniker.lifecycle import dispatch_state
from chroniker.models import Run
from chroniker.reasons import Code, Reason
from chroniker.scheduler import dispatch
from chroniker.scheduler.tick import tick
from tests.support.factories import a_due_job, started

DAY = 86_400


def waits(run: Run, messages: int) -> list[float]:
    """Seconds until the next message, after each message."""
    found = []
    for _message in range(messages):
        now = database_now()
        run.refresh_from_db()
        lifecycle.record_dispatched([run], now)
        run.refresh_from_db()
        assert run.redispatch_at is not None
        found.append((run.redispatch_at - now).total_seconds())
    return found


def a_claim(**fields: Any) -> Run:
    job = a_due_job(**fields)
    tick()
    run = Run.objects.select_related("job").get(job=job)
    Run.objects.filter(pk=run.pk).update(dispatch_count=0)
    return run


def test_the_delay_between_messages_doubles_up_to_an_hour() -> None:
    assert waits(a_claim(start_deadline_seconds=DAY), 9) == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


@pytest.mark.parametrize(
    ("deadline", "expected"),
    [(3000, [60, 120, 240, 300, 300]), (60, [60, 60, 60, 60, 60])],
    ids=["at least each tenth of the start deadline", "but never sooner than the setting"],
)
def test_a_short_start_deadline_still_allows_several_messages(deadline: int, expected: list[float]) -> None:
    assert waits(a_claim(start_deadline_seconds=deadline), 5) == expected


@override_settings(CHRONIKER_START_DEADLINE_SECONDS=3000)
def test_the_setting_is_the_start_deadline_of_a_job_without_one() -> None:
    assert waits(a_claim(), 5)[-1] == 300


def test_a_batch_with_many_deadlines_needs_one_update(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for deadline in (None, 600, 1200, 1800, None):
        a_due_job(start_deadline_seconds=deadline)
    tick()
    Run.objects.update(dispatch_count=3)
    runs, now = list(Run.objects.select_related("job")), database_now()
    with django_assert_num_queries(3):  # with the beginning and the end of its transaction
        lifecycle.record_dispatched(runs, now)
    for run in Run.objects.select_related("job"):
        assert run.redispatch_at is not None and run.dispatch_count == 4 and run.dispatched_at == now
        assert run.redispatch_at - now == dt.timedelta(seconds=min((run.job.start_deadline_seconds or DAY) / 10, 480))


def test_only_one_of_several_ticks_sends_the_message_of_a_claim(dummy: DummyExecutor) -> None:
    run, later = a_claim(), database_now() + dt.timedelta(minutes=2)
    send, results = dummy.dispatch, []

    def dispatch_during_other_ticks(runs: Sequence[Run]) -> Collection[UUID]:
        results.append([dispatch.redispatch_overdue_claims(later) for _other in range(3)])
        return send(runs)

    with mock.patch.object(dummy, "dispatch", dispatch_during_other_ticks):
        assert dispatch.redispatch_overdue_claims(later) == 1
    assert results == [[0, 0, 0]]
    run.refresh_from_db()
    assert run.dispatch_count == 1


def test_only_the_first_tick_that_takes_a_claim_sends_a_message(dummy: DummyExecutor) -> None:
    run, later = a_claim(), database_now() + dt.timedelta(minutes=2)
    take, before = lifecycle.reserve_claims_for_redispatch, len(dummy.dispatched)

    def too_late(run_ids: Collection[UUID], now: dt.datetime) -> set[UUID]:
        assert take(run_ids, now) == {run.pk}, "by another one"
        return take(run_ids, now)

    with mock.patch.object(lifecycle, "reserve_claims_for_redispatch", too_late):
        assert dispatch.redispatch_overdue_claims(later) == 0
    assert len(dummy.dispatched) == before


def test_a_claim_whose_sender_died_is_dispatched_again() -> None:
    run, later = a_claim(), database_now() + dt.timedelta(minutes=2)
    assert lifecycle.reserve_claims_for_redispatch([run.pk], later) == {run.pk}
    assert lifecycle.reserve_claims_for_redispatch([run.pk], later) == set()
    assert dispatch.redispatch_overdue_claims(later + dt.timedelta(seconds=60)) == 1


def test_a_run_that_was_started_meanwhile_is_not_changed() -> None:
    run = a_claim()
    started(run)
    lifecycle.record_dispatched([run], database_now())
    run.refresh_from_db()
    assert (run.redispatch_at, run.dispatch_count) == (None, 0)


class _Killed(BaseException):
    """The ticking process dies here."""


def test_a_claim_whose_ticker_died_before_the_message_is_dispatched_again_after_the_first_delay(
    dummy: DummyExecutor,
) -> None:
    job = a_due_job(queue="reports")
    with mock.patch.object(dummy, "dispatch", side_effect=_Killed), pytest.raises(_Killed):
        tick()
    run = Run.objects.get(job=job)
    assert (run.dispatch_count, run.queue) == (1, "reports")
    assert run.dispatched_at == run.claimed_at
    assert run.redispatch_at == run.claimed_at + dt.timedelta(seconds=60)
    assert dispatch.redispatch_overdue_claims(run.redispatch_at - dt.timedelta(seconds=1)) == 0
    assert dispatch.redispatch_overdue_claims(run.redispatch_at) == 1
    run.refresh_from_db()
    assert run.dispatch_count == 2


@pytest.mark.parametrize("answer", [[], ConnectionError("no broker")], ids=["refused", "no broker"])
def test_a_run_that_no_executor_accepts_was_not_dispatched_whatever_its_claim_recorded(
    dummy: DummyExecutor, answer: Any
) -> None:
    job = a_due_job()
    values = {"side_effect": answer} if isinstance(answer, Exception) else {"return_value": answer}
    with mock.patch.object(dummy, "dispatch", **values):
        tick()
    run = Run.objects.get(job=job)
    assert (run.dispatched_at, run.dispatch_count) == (None, 0)
    assert run.redispatch_at is not None
    assert run.redispatch_at - run.claimed_at < dt.timedelta(seconds=30)
    assert bool(run.reason) == isinstance(answer, Exception)


def test_a_claim_records_its_dispatch_as_the_dispatch_would(dummy: DummyExecutor) -> None:
    a_due_job(queue="reports", start_deadline_seconds=3000)
    tick()
    in_advance = Run.objects.get()
    Run.objects.all().delete()
    with mock.patch.object(dummy, "queue_for", return_value=None):
        a_due_job(queue="reports", start_deadline_seconds=3000)
        tick()
    afterwards = Run.objects.get()
    for run in (in_advance, afterwards):
        assert run.dispatched_at is not None and run.redispatch_at is not None
        assert (run.dispatch_count, run.queue, run.redispatch_at - run.dispatched_at) == (
            1,
            "reports",
            dt.timedelta(seconds=60),
        )


def test_the_queue_of_a_message_is_corrected_where_the_executor_sent_it_elsewhere(dummy: DummyExecutor) -> None:
    jobs = [a_due_job(), a_due_job()]
    with mock.patch.object(dummy, "dispatch", lambda runs: {run.pk: f"queue {run.job_id}" for run in runs}):
        tick()
    for run in Run.objects.all():
        assert (run.queue, run.dispatch_count) == (f"queue {run.job_id}", 1)
    assert Run.objects.filter(job__in=jobs).count() == 2


def test_a_run_that_no_executor_accepted_is_dispatched_again_after_five_seconds() -> None:
    run, other, now = a_claim(), a_claim(), database_now()
    before = Run.objects.get(pk=other.pk).redispatch_at
    lifecycle.record_dispatch_failures([run.pk], now, error="no broker")
    run.refresh_from_db()
    assert run.redispatch_at == now + dt.timedelta(seconds=5)
    assert run.dispatched_at is not None, "its first message may still arrive"
    assert Run.objects.get(pk=other.pk).redispatch_at == before


def test_a_start_is_postponed_only_for_the_token_of_the_run() -> None:
    run = a_claim()
    before = Run.objects.values().get(pk=run.pk)
    reason = Reason.of(Code.NOT_ACCEPTED, error="not now")
    dispatch_state.record_postponed_start(run.pk, run.token + 1, 600, reason)
    assert Run.objects.values().get(pk=run.pk) == before
    dispatch_state.record_postponed_start(run.pk, run.token, 600, reason)
    run.refresh_from_db()
    assert run.redispatch_at is not None and run.redispatch_at - database_now() > dt.timedelta(seconds=590)
    assert run.code == Code.NOT_ACCEPTED


def test_a_run_that_its_required_host_has_dispatched_does_not_wait_for_that_host() -> None:
    dispatched, waiting = a_claim(), a_claim()
    Run.objects.filter(pk=waiting.pk).update(dispatched_at=None)
    lifecycle.record_wait_for_required_host([dispatched.pk, waiting.pk])
    assert dict(Run.objects.values_list("pk", "code")) == {dispatched.pk: "", waiting.pk: Code.WAITS_FOR_HOST}


@pytest.mark.database("postgres", "mariadb")
@pytest.mark.django_db(transaction=True)
def test_a_claim_that_another_tick_has_locked_is_left_to_it() -> None:
    run, other = a_claim(), a_claim()
    later = database_now() + dt.timedelta(minutes=2)

    def reserve() -> set[UUID]:
        with closing(connection):
            return lifecycle.reserve_claims_for_redispatch([run.pk, other.pk], later)

    with ThreadPoolExecutor(1) as ticking, transaction.atomic():
        list(Run.objects.select_for_update().filter(pk=run.pk))
        assert ticking.submit(reserve).result(timeout=60) == {other.pk}

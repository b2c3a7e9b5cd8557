"""Signals about a run: sent after the commit, and for no other run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import Job, Run, Status
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from chroniker.signals import run_claimed, run_finished, run_started
from tests.support.ended_runs import a_job_with_subscribers, ended, lost, missed
from tests.support.factories import a_due_job


@contextlib.contextmanager
def received_signals() -> Iterator[list[tuple[UUID, str]]]:
    """The run, and its host when it starts or its status when it ends."""
    received: list[tuple[UUID, str]] = []

    def receive(run_id: UUID, status: str = "", host: str = "", **_more: Any) -> None:
        received.append((run_id, host or status))

    for signal in (run_started, run_finished):
        signal.connect(receive, sender=Run)
    try:
        yield received
    finally:
        for signal in (run_started, run_finished):
            signal.disconnect(receive, sender=Run)


def test_the_signals_are_sent_after_the_commit(django_capture_on_commit_callbacks: Any) -> None:
    with received_signals() as received:
        with django_capture_on_commit_callbacks(execute=True):
            run = ended(a_job_with_subscribers(), Status.SUCCEEDED)
            assert received == []
        assert received == [(run.pk, "here"), (run.pk, Status.SUCCEEDED)]


@pytest.mark.parametrize("is_adopted", [True, False])
def test_the_signal_is_sent_for_scheduled_times_that_are_skipped(
    is_adopted: bool, django_capture_on_commit_callbacks: Any
) -> None:
    """By an edit, or by the adoption of a copy of the database."""
    job, now = a_due_job(), database_now()
    with received_signals() as received, django_capture_on_commit_callbacks(execute=True):
        if is_adopted:
            lifecycle.adopt_jobs([job.pk], now, raise_tokens_by=10, skip_missed=True)
        else:
            Job.objects.filter(pk=job.pk).update(cron="0 0 1 1 *")
            lifecycle.book_next_instants([job.pk], database_now())
    assert received == [(Run.objects.get().pk, Status.SKIPPED)]


def stopped() -> Run:
    run = run_now(a_job_with_subscribers(), requested_by="a test")
    assert lifecycle.request_stop(run.pk, "ann")
    run.refresh_from_db()
    return run


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", [stopped, lambda: lost(a_job_with_subscribers()), missed], ids=["stop", "loss", "miss"])
def test_an_end_without_a_report_is_signalled_for_its_run_alone(end: Callable[[], Run]) -> None:
    other = run_now(a_job_with_subscribers(), requested_by="a test")
    with received_signals() as received:
        run = end()
    assert received[-1] == (run.pk, run.status) and {pk for pk, _what in received} == {run.pk}
    assert other.pk != run.pk


@pytest.mark.django_db(transaction=True)
def test_a_claim_is_signalled_for_each_run_that_it_opens() -> None:
    a_due_job(minutes=10, misfire_grace_seconds=200)
    received: list[tuple[UUID, int, str]] = []

    def receive(run_id: UUID, token: int, trigger: str, **_more: Any) -> None:
        received.append((run_id, token, trigger))

    run_claimed.connect(receive, sender=Run)
    try:
        [run] = tick().claimed
    finally:
        run_claimed.disconnect(receive, sender=Run)
    assert received == [(run.pk, 2, "SCHEDULE")], "not for the run that records the missed times"

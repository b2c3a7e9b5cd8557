"""Signals about runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.dispatch import Signal

from chroniker import lifecycle, signals
from chroniker.lifecycle import Outcome
from chroniker.models import Job, Run, Status
from chroniker.reasons import Reason
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.stopping import stop_run
from chroniker.scheduler.tick import tick
from tests.support.ended_runs import a_job_with_subscribers, ended, lost, missed
from tests.support.factories import a_booked_job, a_due_job, started

pytestmark = pytest.mark.django_db


@contextmanager
def received(signal: Signal) -> Iterator[list[dict[str, Any]]]:
    calls: list[dict[str, Any]] = []

    def receive(sender: type, **arguments: Any) -> None:
        calls.append({name: value for name, value in arguments.items() if name != "signal"})

    signal.connect(receive)
    try:
        yield calls
    finally:
        signal.disconnect(receive)


@pytest.mark.django_db(transaction=True)
def test_signals_are_sent_for_claim_start_and_end() -> None:
    job = a_due_job()
    with (
        received(signals.run_claimed) as claimed,
        received(signals.run_started) as begun,
        received(signals.run_finished) as finished,
    ):
        [run] = tick().claimed
        nonce = started(run, host="web1")
        lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, reason=Reason(text="exit status 1")))
        lifecycle.finish(
            run.pk, run.token, nonce, Outcome(Status.FAILED, reason=Reason(text="exit status 1"))
        )  # its response was lost
    about = {"run_id": run.pk, "job_id": job.pk, "token": run.token}
    assert claimed == [{**about, "trigger": "SCHEDULE"}]
    assert begun == [{**about, "host": "web1"}]
    assert finished == [{**about, "status": "FAILED", "code": "", "reason": "exit status 1"}]


@pytest.mark.django_db(transaction=True)
def test_a_signal_is_sent_for_every_other_end() -> None:
    with received(signals.run_finished) as finished:
        lost(a_job_with_subscribers())
        cancelled = run_now(a_booked_job(cron="0 0 1 1 *"), requested_by="a test")
        stop_run(cancelled.pk, "a test")
        missed()
        switched_off = a_due_job(minutes=3)
        Job.objects.filter(pk=switched_off.pk).update(enabled=False)
        tick()
    ends = [call["status"] for call in finished]
    assert ends == ["LOST", "STOPPED", "SKIPPED", "SKIPPED"]
    assert {call["run_id"] for call in finished} == set(
        Run.objects.exclude(finished_at=None).values_list("pk", flat=True)
    )


@pytest.mark.django_db(transaction=True)
def test_signals_are_sent_after_the_commit_and_not_after_a_rollback() -> None:
    class Rollback(Exception):
        pass

    job = a_booked_job(cron="0 0 1 1 *")
    with received(signals.run_claimed) as claimed:
        with pytest.raises(Rollback), transaction.atomic():
            run_now(job, requested_by="a test")
            raise Rollback
        assert not claimed
        with transaction.atomic():
            run_now(job, requested_by="a test")
            assert not claimed
        assert len(claimed) == 1


@pytest.mark.django_db(transaction=True)
def test_a_signal_receiver_that_raises_does_not_affect_the_run() -> None:
    def explode(sender: type, **arguments: Any) -> None:
        raise RuntimeError("boom")

    signals.run_finished.connect(explode)
    try:
        assert ended(a_job_with_subscribers(), Status.SUCCEEDED).status == Status.SUCCEEDED
    finally:
        signals.run_finished.disconnect(explode)

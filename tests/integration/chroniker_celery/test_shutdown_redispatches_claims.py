"""A worker in shutdown dispatches claimed runs of received messages again: brokers return only unacknowledged messages.

The claims are not dispatched before, because no test here commits.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chroniker.executors.dummy import DummyExecutor
from chroniker.scheduler.manual_runs import run_now
from chroniker.worker.shutdown_notice import ShutdownNotice
from chroniker_celery import shutdown
from tests.support.factories import a_booked_job, started


@pytest.fixture
def notice(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShutdownNotice]:
    made = ShutdownNotice()
    monkeypatch.setattr(shutdown, "_notice", made)
    yield made
    made.close()


def test_a_running_worker_keeps_its_message(notice: ShutdownNotice, dummy: DummyExecutor) -> None:
    run = run_now(a_booked_job(), requested_by="a test")
    assert not shutdown.redispatch_run_if_shutting_down(run.pk, run.token)
    assert dummy.dispatched == []


def test_a_worker_in_shutdown_dispatches_it_again(notice: ShutdownNotice, dummy: DummyExecutor) -> None:
    run = run_now(a_booked_job(), requested_by="a test")
    notice.announce(None)
    assert shutdown.redispatch_run_if_shutting_down(run.pk, run.token)
    assert [each.pk for each in dummy.dispatched] == [run.pk]


def test_a_run_that_started_elsewhere_is_not_dispatched(notice: ShutdownNotice, dummy: DummyExecutor) -> None:
    run = run_now(a_booked_job(), requested_by="a test")
    started(run)
    notice.announce(None)
    assert shutdown.redispatch_run_if_shutting_down(run.pk, run.token)
    assert dummy.dispatched == []

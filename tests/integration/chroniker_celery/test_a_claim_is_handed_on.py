"""What a worker that ends does with a message that it had fetched: brokers bring back only what was not confirmed.

The claims here are not sent before: that waits for a commit, and none of these tests commits.
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
def farewell(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShutdownNotice]:
    made = ShutdownNotice()
    monkeypatch.setattr(shutdown, "_notice", made)
    yield made
    made.close()


def test_a_worker_that_goes_on_keeps_it(farewell: ShutdownNotice, dummy: DummyExecutor) -> None:
    run = run_now(a_booked_job(), by="a test")
    assert not shutdown.hand_over_unstarted(run.pk, run.token)
    assert dummy.dispatched == []


def test_one_that_ends_sends_it_anew(farewell: ShutdownNotice, dummy: DummyExecutor) -> None:
    run = run_now(a_booked_job(), by="a test")
    farewell.announce(None)
    assert shutdown.hand_over_unstarted(run.pk, run.token)
    assert [each.pk for each in dummy.dispatched] == [run.pk]


def test_but_not_what_has_begun_elsewhere(farewell: ShutdownNotice, dummy: DummyExecutor) -> None:
    run = run_now(a_booked_job(), by="a test")
    started(run)
    farewell.announce(None)
    assert shutdown.hand_over_unstarted(run.pk, run.token)
    assert dummy.dispatched == []

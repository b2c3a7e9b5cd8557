"""The contract over every executor that comes with chroniker."""

from __future__ import annotations

from chroniker.executors import Executor, InProcessExecutor
from chroniker.executors.local import LocalExecutor
from chroniker.models import EventKind, RunEvent
from chroniker.scheduler import stopping
from tests.integration.executors.accepting_contract import AcceptingContract, a_claim, reread
from tests.integration.executors.contract import ExecutorContract
from tests.support.processes import wait_until


class TestLocalExecutor(ExecutorContract):
    BACKEND = "chroniker.executors.local.LocalExecutor"
    OPTIONS = {"workers": 2}

    def test_a_process_that_does_not_keep_running_accepts_no_run(self, executor: Executor) -> None:
        assert LocalExecutor("other", {}).dispatch([a_claim()]) == []

    def test_runs_waiting_in_the_executor_are_released(self, executor: Executor) -> None:
        runs = [a_claim(command="sleep_for", args="600") for _ in range(4)]
        executor.dispatch(runs)
        wait_until(lambda: all(reread(run).started_at for run in runs[:2]), what="the first two to begin")
        assert isinstance(executor, InProcessExecutor)
        assert set(executor.drop_unstarted_runs()) == {run.pk for run in runs[2:]}
        assert set(executor.running) == {run.pk for run in runs[:2]}
        for run in runs[:2]:
            stopping.stop_run(run.pk, "the test")
        self.wait_for_end(executor, *runs[:2])
        assert [reread(run).started_at for run in runs[2:]] == [None, None]

    def test_a_run_that_is_already_held_is_not_accepted_twice(self, executor: Executor) -> None:
        run = a_claim()
        executor.dispatch([run])
        executor.dispatch([run])
        self.wait_for_end(executor, run)
        assert not RunEvent.objects.filter(run=run.pk, kind=EventKind.REFUSED_DELIVERY).exists()


class TestInlineExecutor(ExecutorContract):
    BACKEND = "chroniker.executors.inline.InlineExecutor"
    STOPS = False


class TestDummyExecutor(AcceptingContract):
    BACKEND = "chroniker.executors.dummy.DummyExecutor"

"""The contract over every executor that comes with chroniker."""

from __future__ import annotations

from chroniker.executors import Executor
from chroniker.executors.local import LocalExecutor
from tests.contracts.contract import ExecutorContract, TakingContract, a_claim, reread
from tests.processes import wait_until


class TestLocalExecutor(ExecutorContract):
    BACKEND = "chroniker.executors.local.LocalExecutor"

    def test_in_a_process_that_does_not_stay_it_takes_nothing(self, executor: Executor) -> None:
        assert LocalExecutor("other", {}).dispatch([a_claim()]) == []


class TestLocalExecutorWithOneWorker(ExecutorContract):
    BACKEND = "chroniker.executors.local.LocalExecutor"
    OPTIONS = {"workers": 1}

    def test_runs_that_wait_in_line_are_given_back(self, executor: Executor) -> None:
        runs = [a_claim(command="sleep_for", args="1") for _ in range(3)]
        executor.dispatch(runs)
        wait_until(lambda: reread(runs[0]).started_at is not None, what="the first to begin")
        assert set(executor.give_back()) == {run.pk for run in runs[1:]}
        assert list(executor.running) == [runs[0].pk]
        self.wait_for_end(executor, runs[0])
        assert [reread(run).started_at for run in runs[1:]] == [None, None]


class TestInlineExecutor(ExecutorContract):
    BACKEND = "chroniker.executors.inline.InlineExecutor"
    STOPS = False


class TestDummyExecutor(TakingContract):
    BACKEND = "chroniker.executors.dummy.DummyExecutor"

"""Tests that every executor must pass. Subclass ``ExecutorContract``, name the backend, and pytest runs all of it.

    class TestMyExecutor(ExecutorContract):
        BACKEND = "mine.Executor"

Whatever executes the runs must be there while the fixture ``served`` is open: override it to start workers with the
environment it is given.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import ClassVar

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.executors import Executor, InProcessExecutor, executors
from chroniker.lifecycle import claim_plan
from chroniker.models import OPEN_STATUSES, EventKind, Job, JobState, Lease, LogChunk, Run, RunEvent, Status, Stream
from chroniker.process.run_variables import RUN_VARIABLES
from chroniker.scheduler import stopping
from tests.integration.executors.accepting_contract import (
    LONG_AGO,
    AcceptingContract,
    a_claim,
    open_here,
    record_ends,
    reread,
    running,
)
from tests.support.factories import a_due_job
from tests.support.processes import wait_until
from tests.testapp import witnessing


class ExecutorContract(AcceptingContract):
    """Tests for executors whose runs are executed."""

    #: A stop reaches a running command.
    STOPS: ClassVar[bool] = True

    def wait_for_end(self, executor: Executor, *runs: Run) -> list[Run]:
        """Also lets a hosted executor process the ends of its runs."""

        def all_ended() -> bool:
            record_ends(executor, 0.05)
            return not Run.objects.filter(pk__in=[run.pk for run in runs], status__in=OPEN_STATUSES).exists()

        wait_until(all_ended, seconds=60, what="all runs to end")
        return [reread(run) for run in runs]

    def test_a_run_ends_and_has_its_output(self, executor: Executor) -> None:
        run = a_claim(command="chatty", args="--lines 2")
        executor.dispatch([run])
        [ended] = self.wait_for_end(executor, run)
        assert (ended.status, ended.exit_code) == (Status.SUCCEEDED, 0)
        wait_until(lambda: self.stdout(run) == "line 1 of 2\nline 2 of 2\n", what="its output")

    @staticmethod
    def stdout(run: Run) -> str:
        chunks = LogChunk.objects.filter(run=run.pk, stream=Stream.STDOUT).order_by("seq")
        return "".join(chunks.values_list("text", flat=True))

    def test_the_command_can_read_what_its_run_is_for(self, executor: Executor) -> None:
        """Its variables, for a run that covers six scheduled times."""
        job = a_due_job(name="two words --and more", minutes=6, command="env_dump")
        JobState.objects.filter(pk=job.pk).update(last_success_until=LONG_AGO)
        state, now = JobState.objects.select_related("job").get(pk=job.pk), database_now()
        [run] = lifecycle.claim([claim_plan.plan_scheduled_run(state, now)], now, wait_for_locks=True)
        executor.dispatch([run])
        self.wait_for_end(executor, run)
        wait_until(lambda: self.stdout(run).endswith("}"), what="its output")
        first, last = run.scheduled_for, run.covered_until
        assert first is not None and last is not None and last - first >= dt.timedelta(minutes=5)
        seen = json.loads(self.stdout(run))["environ"]
        assert {name: value for name, value in seen.items() if name in RUN_VARIABLES.values()} == {
            "CHRONIKER_JOB_ID": str(job.pk),
            "CHRONIKER_JOB_NAME": "two words --and more",
            "CHRONIKER_TIMEZONE": "UTC",
            "CHRONIKER_RUN_ID": str(run.pk),
            "CHRONIKER_RUN_TOKEN": "1",
            "CHRONIKER_ATTEMPT": "1",
            "CHRONIKER_TRIGGER": "SCHEDULE",
            "CHRONIKER_SCHEDULED_FOR": first.isoformat(),
            "CHRONIKER_COVERED_UNTIL": last.isoformat(),
            "CHRONIKER_INTERVAL_START": (first - dt.timedelta(minutes=1)).isoformat(),
            "CHRONIKER_LAST_SUCCESS": LONG_AGO.isoformat(),
        }

    def test_a_raw_command_is_executed(self, executor: Executor) -> None:
        run = a_claim(command="", raw_command="echo 'two  words'")
        executor.dispatch([run])
        [ended] = self.wait_for_end(executor, run)
        assert (ended.status, self.stdout(run)) == (Status.SUCCEEDED, "two  words\n")

    def test_a_command_that_fails_ends_with_its_exit_status(self, executor: Executor) -> None:
        run = a_claim(command="fails", args="--status 3")
        executor.dispatch([run])
        [ended] = self.wait_for_end(executor, run)
        assert (ended.status, ended.exit_code) == (Status.FAILED, 3)

    def test_several_runs_in_one_dispatch_all_end(self, executor: Executor) -> None:
        runs = [a_claim() for _ in range(3)]
        executor.dispatch(runs)
        assert [run.status for run in self.wait_for_end(executor, *runs)] == [Status.SUCCEEDED] * 3

    def test_a_run_that_is_dispatched_again_is_executed_once(self, executor: Executor, tmp_path: Path) -> None:
        run = a_claim(command="witness", args=f"{tmp_path / 'witness'} job")
        executor.dispatch([run])
        self.wait_for_end(executor, run)
        wait_until(lambda: not running(executor), what="the executor to be done with it")
        executor.dispatch([run])
        self.wait_for_refusal(executor, run)
        assert len(witnessing.begun(tmp_path / "witness")) == 1
        assert reread(run).status == Status.SUCCEEDED

    def test_a_run_with_a_wrong_token_is_refused_and_unchanged(self, executor: Executor, tmp_path: Path) -> None:
        run = a_claim(command="witness", args=f"{tmp_path / 'witness'} job")
        forged = reread(run)
        forged.token += 1
        forged.job = run.job
        executor.dispatch([forged])
        self.wait_for_refusal(executor, run)
        assert witnessing.begun(tmp_path / "witness") == []
        assert reread(run).status == Status.CLAIMED

    def wait_for_refusal(self, executor: Executor, run: Run) -> None:
        def refused() -> bool:
            record_ends(executor, 0.05)
            return RunEvent.objects.filter(run=run.pk, kind=EventKind.REFUSED_DELIVERY).exists()

        wait_until(refused, what="the refusal to be recorded")

    def test_a_run_whose_job_was_deleted_is_ignored(self, executor: Executor) -> None:
        gone, other = a_claim(), a_claim()
        job = gone.job
        Lease.objects.filter(pk=gone.pk).delete()
        Job.objects.filter(pk=gone.job_id).delete()
        gone.job = job
        executor.dispatch([gone, other])
        assert self.wait_for_end(executor, other)[0].status == Status.SUCCEEDED

    def test_a_command_that_is_no_longer_allowed_is_refused_at_execution(self, executor: Executor) -> None:
        run = a_claim()
        Job.objects.filter(pk=run.job_id).update(command="flush")
        executor.dispatch([run])
        [ended] = self.wait_for_end(executor, run)
        assert ended.status == Status.FAILED
        assert "CHRONIKER_COMMANDS_DENIED" in ended.reason

    def test_a_stop_reaches_the_command(self, executor: Executor) -> None:
        if not self.STOPS:
            return
        run = a_claim(command="sleep_for", args="600")
        executor.dispatch([run])
        wait_until(lambda: reread(run).status == Status.RUNNING, what="the run to begin")
        assert stopping.stop_run(run.pk, "the contract")
        [ended] = self.wait_for_end(executor, run)
        assert (ended.status, ended.stop_requested_by) == (Status.STOPPED, "the contract")

    def test_an_executor_without_queues_ignores_queue_and_priority(self, executor: Executor) -> None:
        if executor.supports_queues and executor.supports_priority:
            return
        run = a_claim(queue="" if executor.supports_queues else "somewhere", priority=3)
        executor.dispatch([run])
        assert self.wait_for_end(executor, run)[0].status == Status.SUCCEEDED

    def test_closing_a_hosted_executor_waits_for_its_runs(self, executor: Executor) -> None:
        if not isinstance(executor, InProcessExecutor):
            return
        run = a_claim(command="sleep_for", args="0.5")
        executor.dispatch([run])
        wait_until(lambda: reread(run).status != Status.CLAIMED, what="the run to begin")
        executors.close()
        open_here()  # for the tests after this one
        assert reread(run).status == Status.SUCCEEDED

    def test_a_hosted_executor_reports_each_job_with_an_ended_run_once(self, executor: Executor) -> None:
        if not isinstance(executor, InProcessExecutor):
            return
        run = a_claim()
        executor.dispatch([run])
        named: list[int] = []
        while executor.busy:
            assert set(executor.running) <= {run.pk}
            named += executor.finished(5)
        assert named in ([], [run.job_id]), "none: it had ended before dispatch returned"
        assert reread(run).status == Status.SUCCEEDED
        assert list(executor.running) == []

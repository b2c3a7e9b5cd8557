"""``manage.py run_job``: run one job now."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import OperationalError, connection
from django.test import override_settings

from chroniker.management.follow_run import RunFollower
from chroniker.management.terminal import ControlEscapingStream
from chroniker.models import LogChunk, Run, RunEvent, Status, Stream, Trigger
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.shutdown_signals import ShutdownSignals
from tests.support.command_jobs import DUMMY, INLINE, a_job_of_new_year, is_running, stdout_of, the_run
from tests.support.factories import a_due_job, state_of
from tests.support.manage import Manage
from tests.support.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_output_and_result_are_shown_and_the_schedule_is_unchanged(manage: Manage) -> None:
    job = a_job_of_new_year(name="chat", command="chatty", args="--lines 10")
    before = state_of(job).next_run
    done = manage("run_job", "chat")
    assert done.returncode == 0
    assert "line 1 of 10\n" in done.stdout and done.stdout.splitlines()[-1].startswith("Run 1 of “chat” succeeded")
    assert "10 lines so far\n" in done.stderr
    assert (the_run(job).trigger, state_of(job).next_run) == (Trigger.MANUAL, before)
    assert RunEvent.objects.filter(run=the_run(job), args__who__endswith=" (manage.py run_job)").exists()


def test_a_run_can_be_for_another_time(manage: Manage) -> None:
    job = a_job_of_new_year(name="report", command="env_dump")
    assert manage("run_job", "report", "--for", "2026-03-29T03:00+02:00").returncode == 0
    seen = json.loads(stdout_of(the_run(job)))["environ"]
    assert seen["CHRONIKER_SCHEDULED_FOR"] == seen["CHRONIKER_COVERED_UNTIL"] == "2026-03-29T01:00:00+00:00"
    assert seen["CHRONIKER_INTERVAL_START"] == "2026-01-01T00:00:00+00:00"
    assert (seen["CHRONIKER_TRIGGER"], "CHRONIKER_LAST_SUCCESS" in seen) == ("MANUAL", False)


def test_a_time_that_is_none_is_refused() -> None:
    a_job_of_new_year(name="report")
    with pytest.raises(CommandError, match="“yesterday” is not a time; write it like 2026-03-29T03:00"):
        call_command("run_job", "report", instant="yesterday")
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"command": "fails", "args": "--status 3"}, 3),
        ({"command": "fails"}, 1),
        ({"command": "", "raw_command": "sh -c 'kill -USR1 $$'"}, 128 + signal.SIGUSR1),
    ],
)
def test_the_exit_status_is_that_of_the_command(fields: dict[str, str], status: int) -> None:
    job, err = a_job_of_new_year(name="bad", **fields), io.StringIO()
    with override_settings(CHRONIKER_EXECUTORS=INLINE), pytest.raises(SystemExit) as ended:
        call_command("run_job", str(job.pk), stdout=io.StringIO(), stderr=err)
    assert ended.value.code == status
    assert "Run 1 of “bad” failed" in err.getvalue()
    assert the_run(job).status == Status.FAILED


def test_a_running_job_is_refused_with_the_reason(manage: Manage) -> None:
    job = a_job_of_new_year(name="busy", command="sleep_for", args="600")
    with manage.process("run_job", "busy"):
        wait_until(lambda: is_running(job))
        done = manage("run_job", "busy")
    assert (done.returncode, done.stdout) == (1, "")
    assert "“busy” was not run. It is running." in done.stderr and "Traceback" not in done.stderr
    assert Run.objects.filter(job=job).count() == 1


def test_only_the_given_job_runs_even_if_others_are_due() -> None:
    due, job, out = a_due_job(), a_job_of_new_year(command="chatty", args="--lines 1"), io.StringIO()
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        call_command("run_job", job.name, stdout=out)
    assert "line 1 of 1" in out.getvalue() and "succeeded" in out.getvalue()
    assert not Run.objects.filter(job=due).exists()


def test_the_id_of_a_run_that_executes_elsewhere_is_printed() -> None:
    job, out = a_job_of_new_year(), io.StringIO()
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        call_command("run_job", job.name, stdout=out)
    assert UUID(out.getvalue().strip()) == the_run(job).pk


def test_a_claim_that_no_executor_accepted_is_reported_as_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    from chroniker.executors.dummy import DummyExecutor

    monkeypatch.setattr(DummyExecutor, "dispatch", lambda self, runs: 1 / 0)
    job, err = a_job_of_new_year(), io.StringIO()
    with override_settings(CHRONIKER_EXECUTORS=DUMMY), pytest.raises(SystemExit) as ended:
        call_command("run_job", job.name, "--wait", stderr=err)
    assert ended.value.code == 1
    assert "not dispatched" in err.getvalue() and "ZeroDivisionError" in err.getvalue()


def test_waiting_for_a_run_elsewhere_ends_with_it(manage: Manage) -> None:
    from chroniker.scheduler import stopping

    job = a_job_of_new_year()
    with manage.having(CHRONIKER_EXECUTORS=DUMMY).process("run_job", job.name, "--wait") as process:
        wait_until(lambda: Run.objects.filter(job=job, dispatched_at__isnull=False).exists())
        assert process.running()
        assert stopping.stop_run(the_run(job).pk, "the test")
        assert process.wait() == 1
        assert "was stopped" in process.log


def test_a_signal_ends_the_waiting_but_not_a_run_that_executes_elsewhere(manage: Manage) -> None:
    job = a_job_of_new_year()
    with manage.having(CHRONIKER_EXECUTORS=DUMMY).process("run_job", job.name, "--wait") as process:
        wait_until(lambda: Run.objects.filter(job=job, dispatched_at__isnull=False).exists())
        process.kill(signal.SIGINT)
        assert process.wait() == 1
        assert "It has not ended yet." in process.log
    assert the_run(job).status == Status.CLAIMED and the_run(job).stop_requested_at is None


def test_a_job_whose_executor_does_not_exist_is_not_claimed() -> None:
    job = a_job_of_new_year(executor="nowhere")
    with pytest.raises(CommandError, match="no executor 'nowhere'"):
        call_command("run_job", job.name)
    assert not Run.objects.filter(job=job).exists()


# -- following a run -------------------------------------------------------------------------------------------


class Waits:
    """In place of the executors of this process: each wait calls the next function."""

    has_open_runs = False

    def __init__(self, *calls: Callable[[], object]) -> None:
        self.left = list(calls)

    def wait(self, seconds: float) -> None:
        self.left.pop(0)()


def a_stream(stream: io.StringIO) -> OutputWrapper:
    return OutputWrapper(ControlEscapingStream(stream))  # type: ignore[arg-type]


def refuse(*_: object) -> None:
    raise OperationalError("no answer")


def test_a_run_that_was_deleted_meanwhile_is_no_success() -> None:
    err, run_id = io.StringIO(), uuid4()
    assert RunFollower(run_id, a_stream(io.StringIO()), a_stream(err)).print_result(waited=True) == 1
    assert err.getvalue() == f"Run {run_id} was deleted.\n"


def test_a_run_is_followed_while_the_database_does_not_answer() -> None:
    job, out = a_job_of_new_year(), io.StringIO()
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        run = run_now(job, "a test")
    LogChunk.objects.create(run=run, stream=Stream.STDOUT, seq=0, text="line 1\n", written_at=run.claimed_at)
    end = {"status": Status.STOPPED, "finished_at": run.claimed_at}
    with ExitStack() as outage, ShutdownSignals() as shutdown:
        outage.enter_context(connection.execute_wrapper(refuse))
        waits: Any = Waits(lambda: None, outage.close, lambda: Run.objects.filter(pk=run.pk).update(**end))
        RunFollower(run.pk, a_stream(out), a_stream(io.StringIO())).follow(waits, shutdown, here=False)
    assert waits.left == [] and out.getvalue() == "line 1\n"

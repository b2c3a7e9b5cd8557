"""``manage.py run_job``: one job, now, for whoever waits for it."""

from __future__ import annotations

import signal
from uuid import UUID

import pytest

from chroniker.models import Job, Run, RunEvent, Status, Trigger
from tests.factories import a_due_job, state_of
from tests.integration.commands.conftest import Manage
from tests.integration.commands.jobs import a_job_of_new_year, is_running, the_run
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

DUMMY = {"default": {"BACKEND": "chroniker.executors.dummy.DummyExecutor"}}
INLINE = {"default": {"BACKEND": "chroniker.executors.inline.InlineExecutor"}}


def test_output_and_result_are_shown_and_the_schedule_stays_where_it_is(manage: Manage) -> None:
    job = a_job_of_new_year(name="chat", command="chatty", args="--lines 10")
    before = state_of(job).next_run
    done = manage("run_job", "chat")
    assert done.returncode == 0
    assert "line 1 of 10\n" in done.stdout and done.stdout.splitlines()[-1].startswith("Run 1 of “chat” succeeded")
    assert "10 lines so far\n" in done.stderr
    assert (the_run(job).trigger, state_of(job).next_run) == (Trigger.MANUAL, before)
    assert RunEvent.objects.filter(run=the_run(job), text__contains="manage.py run_job by ").exists()


@pytest.mark.parametrize(
    ("args", "status"), [("--status 3", 3), (f"--signal {int(signal.SIGUSR1)}", 128 + signal.SIGUSR1), ("", 1)]
)
def test_the_exit_status_is_that_of_the_command(manage: Manage, args: str, status: int) -> None:
    job = a_job_of_new_year(name="bad", command="fails", args=args)
    done = manage("run_job", str(job.pk))
    assert done.returncode == status
    assert "Run 1 of “bad” failed" in done.stderr
    assert the_run(job).status == Status.FAILED


def test_a_running_job_is_refused_with_the_reason(manage: Manage) -> None:
    job = a_job_of_new_year(name="busy", command="sleep_for", args="600")
    with manage.process("run_job", "busy"):
        wait_until(lambda: is_running(job))
        done = manage("run_job", "busy")
    assert (done.returncode, done.stdout) == (1, "")
    assert "“busy” was not run. It is running." in done.stderr and "Traceback" not in done.stderr
    assert Run.objects.filter(job=job).count() == 1


def test_only_the_job_asked_for_is_run_though_others_are_due(manage: Manage) -> None:
    due, job = a_due_job(), a_job_of_new_year()
    assert manage("run_job", job.name).returncode == 0
    assert not Run.objects.filter(job=due).exists()


def test_an_inline_run_is_shown_too(manage: Manage) -> None:
    job = a_job_of_new_year(command="chatty", args="--lines 1")
    done = manage.having(CHRONIKER_EXECUTORS=INLINE)("run_job", job.name)
    assert done.returncode == 0
    assert "line 1 of 1" in done.stdout and "succeeded" in done.stdout


def test_of_a_run_that_executes_elsewhere_the_id_is_printed(manage: Manage) -> None:
    job = a_job_of_new_year()
    done = manage.having(CHRONIKER_EXECUTORS=DUMMY)("run_job", job.name)
    assert (done.returncode, done.stderr) == (0, "")
    assert UUID(done.stdout.strip()) == the_run(job).pk


def test_waiting_for_a_run_elsewhere_ends_with_it(manage: Manage) -> None:
    from chroniker import tick

    job = a_job_of_new_year()
    with manage.having(CHRONIKER_EXECUTORS=DUMMY).process("run_job", job.name, "--wait") as process:
        run = wait_until(lambda: Run.objects.filter(job=job, dispatched_at__isnull=False).first())
        assert process.running()
        assert tick.stop(run.pk, "the test")
        assert process.wait() == 1
        assert "was stopped" in process.log


def test_a_signal_ends_the_waiting_and_not_the_run_elsewhere(manage: Manage) -> None:
    job = a_job_of_new_year()
    with manage.having(CHRONIKER_EXECUTORS=DUMMY).process("run_job", job.name, "--wait") as process:
        wait_until(lambda: Run.objects.filter(job=job, dispatched_at__isnull=False).exists())
        process.kill(signal.SIGINT)
        assert process.wait() == 1
        assert "It has not ended yet." in process.log
    assert the_run(job).status == Status.CLAIMED and the_run(job).stop_requested_at is None


def test_a_job_whose_executor_does_not_exist_is_not_claimed(manage: Manage) -> None:
    job = a_job_of_new_year()
    Job.objects.filter(pk=job.pk).update(executor="nowhere")
    done = manage("run_job", job.name)
    assert done.returncode == 1
    assert "no executor 'nowhere'" in done.stderr
    assert not Run.objects.filter(job=job).exists()

"""SIGKILL of each process of the local executor in turn; `integration/chroniker_celery` kills workers of Celery."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from chroniker.models import OPEN_STATUSES, Job, Run, Status
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job
from tests.support.processes import ManagementCommand, wait_until
from tests.testapp import witnessing

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[..., ManagementCommand]


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / "witness"


def a_long_job(witness: Path) -> Job:
    job = a_booked_job(cron="0 3 1 1 *", command="witness", args=f"{witness} long --seconds 100")
    Job.objects.filter(pk=job.pk).update(force_run=True)
    return job


def ancestors(pid: int, until: int) -> list[psutil.Process]:
    """The process and those above it, below ``until``: command, keeper, fork server."""
    found = [psutil.Process(pid)]
    while (parent := found[-1].parent()) is not None and parent.pid not in (until, 1):
        found.append(parent)
    return found


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def closed(run: Run) -> bool:
    tick()
    return Run.objects.get(pk=run.pk).status not in OPEN_STATUSES


#: what is killed -> how the run may end. A killed command is a failure that its supervisor reports; without a
#: supervisor the result is unknown, and a tick records this; the keeper's death is seen by its supervisor.
ENDINGS = {
    "command": {Status.FAILED},
    "keeper": {Status.FAILED, Status.LOST},
    "supervisor": {Status.LOST},
}


@pytest.mark.parametrize("victim", ["command", "keeper", "supervisor"])
def test_a_sigkill_ends_the_run_and_its_tree_before_the_next_one_starts(
    victim: str, start: Start, witness: Path
) -> None:
    job = a_long_job(witness)
    server = start("cronserver", "0.5")
    (begun,) = wait_until(lambda: witnessing.begun(witness), what="the command began")
    run = Run.objects.get(job=job)
    command, keeper, *_rest = ancestors(begun.pid, server.pid)
    pids = {"command": command.pid, "keeper": keeper.pid, "supervisor": server.pid}
    os.kill(pids[victim], signal.SIGKILL)
    wait_until(lambda: closed(run), what="closed")
    assert is_gone(begun.pid)
    ended = Run.objects.get(pk=run.pk)
    assert Status(ended.status) in ENDINGS[victim]
    assert ended.reason
    if victim == "supervisor":
        start("cronserver", "0.5")
    Job.objects.filter(pk=job.pk).update(force_run=True)
    wait_until(lambda: len(witnessing.begun(witness)) == 2, what="the next one began")
    assert is_gone(begun.pid)
    assert Run.objects.filter(job=job, status__in=OPEN_STATUSES).count() == 1


def test_a_run_survives_the_fork_server_of_its_keeper(start: Start, witness: Path) -> None:
    job = a_booked_job(cron="0 3 1 1 *", command="witness", args=f"{witness} long --seconds 3")
    Job.objects.filter(pk=job.pk).update(force_run=True)
    server = start("cronserver", "0.5")
    (begun,) = wait_until(lambda: witnessing.begun(witness), what="the command began")
    run = Run.objects.get(job=job)
    _command, _keeper, fork_server = ancestors(begun.pid, server.pid)
    fork_server.kill()
    wait_until(lambda: closed(run), what="closed")
    assert is_gone(begun.pid)
    Job.objects.filter(pk=job.pk).update(force_run=True)
    wait_until(lambda: len(witnessing.ended(witness)) >= 2, what="the next one, started cold, ended")
    assert witnessing.overlaps(witness) == []


def test_a_tick_that_is_killed_between_claim_and_dispatch_leaves_a_claim_for_the_next(
    start: Start, witness: Path
) -> None:
    job = a_long_job(witness)
    dummy = {"default": {"BACKEND": "chroniker.executors.dummy.DummyExecutor"}}
    start("cron", CHRONIKER_EXECUTORS=dummy).wait()  # claims the run, and loses it when it dies
    run = Run.objects.get(job=job)
    assert run.status == Status.CLAIMED
    start("cronserver", "0.5")
    wait_until(lambda: witnessing.begun(witness), what="dispatched again")
    assert Run.objects.get(job=job).pk == run.pk

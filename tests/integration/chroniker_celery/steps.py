"""Common steps of tests with workers."""

from __future__ import annotations

from typing import Any

from celery.result import AsyncResult

from chroniker.models import OPEN_STATUSES, EventKind, Job, LogChunk, Run, RunEvent, Status
from chroniker.scheduler import manual_runs, tick
from tests.celeryapp import app
from tests.support.factories import a_booked_job
from tests.support.processes import WAIT_SECONDS, wait_until

#: A schedule that is not due within a test.
NEVER = "0 0 29 2 *"


def a_claimed_run(command: str = "noop", args: str = "", **fields: Any) -> Run:
    """A job's run, claimed and sent to the broker."""
    return manual_runs.run_now(a_booked_job(command=command, args=args, cron=NEVER, **fields), requested_by="a test")


def status_of(run: Run) -> Status:
    return Status(Run.objects.values_list("status", flat=True).get(pk=run.pk))


def wait_until_running(run: Run) -> Run:
    wait_until(lambda: status_of(run) == Status.RUNNING, what="running")
    return Run.objects.get(pk=run.pk)


def wait_until_closed(run: Run, *, ticking: bool = False, seconds: float = WAIT_SECONDS) -> Run:
    """With ``ticking`` this process ticks meanwhile, as a beat would."""

    def closed() -> bool:
        if ticking:
            tick.tick()
        return status_of(run) not in OPEN_STATUSES

    wait_until(closed, what="closed", seconds=seconds)
    return Run.objects.get(pk=run.pk)


def wait_for_result(run: Run) -> AsyncResult[Any]:
    result: AsyncResult[Any] = AsyncResult(str(run.pk), app=app)
    wait_until(result.ready, what="a result in the backend")
    return result


def events_of(run: Run, kind: EventKind) -> list[RunEvent]:
    return list(RunEvent.objects.filter(run=run, kind=kind))


def output_of(run: Run, stream: int = 1) -> str:
    return "".join(LogChunk.objects.filter(run=run, stream=stream).order_by("seq").values_list("text", flat=True))


def only_run_of(job: Job) -> Run:
    return Run.objects.exclude(status=Status.SKIPPED).get(job=job)

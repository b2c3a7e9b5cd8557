"""The one task. Its message says which claimed run to execute, and never what."""

from __future__ import annotations

import logging
from typing import Any, NoReturn
from uuid import UUID

from celery import shared_task
from celery.exceptions import Ignore

from chroniker.conf import settings
from chroniker.escaping import one_line
from chroniker.executors.database_report import DatabaseReport
from chroniker.models import OPEN, Run, Status
from chroniker.process.run_spec import RunOutcome
from chroniker.scheduler import tick
from chroniker.worker import supervisor
from chroniker.worker.machine import ThisHost
from chroniker.worker.supervisor import Worker
from chroniker_celery import fork_server, shutdown
from chroniker_celery.exceptions import RunFailed
from chroniker_celery.publish import TASK
from chroniker_celery.results import RunTask

logger = logging.getLogger(__name__)


@shared_task(
    bind=True,
    base=RunTask,
    name=TASK,
    throws=(RunFailed,),  # logged as one line
    acks_late=False,
    reject_on_worker_lost=False,
    retry_on_worker_lost=False,
    track_started=False,
    ignore_result=False,
)
def execute(self: RunTask, *words: Any, **named: Any) -> dict[str, Any]:
    """Execute the run that this message names, if it is still to be had; ends when the run has ended.

    A delivery that is refused (the second of the same message, a forged or outdated one) is *ignored*: it writes
    nothing to the result backend, where the live run's result belongs. A run that succeeded ends its task as SUCCESS
    with a small dict; any other end is FAILURE, with the exception ``RunFailed``, which carries the same dict.
    """
    run_id, token = _delivered(str(self.request.id), words, named)
    report = DatabaseReport(run_id, token)
    try:
        if shutdown.hand_over_unstarted(run_id, token):
            raise Ignore(f"Run {run_id} was left to another worker.")
        machine = ThisHost(settings.runtime_dir, fork_server.current())
        ending = supervisor.execute(report, Worker(machine, settings.hostname, shutdown.current()))
    except Ignore:
        raise
    except Exception:  # not started, as far as anyone knows: the claim is dispatched again, or its lease runs out
        if shutdown.is_at_once():  # the solo pool's signal handler raises out of whatever was under way
            logger.warning("Run %s ended with its worker, which was told to end at once.", run_id)
        else:
            logger.exception("Run %s could not be supervised.", run_id)
        raise Ignore from None
    if ending is None and report.status is None:
        raise Ignore(f"Run {run_id} is not to be had by this delivery.")
    return _conclude(run_id, token, ending, report.status)


def _delivered(task_id: str, words: tuple[Any, ...], named: dict[str, Any]) -> tuple[UUID, int]:
    """Run and token. A message that nobody of this project sent must not leave a result over somebody's run either."""
    if named or len(words) != 2 or words[0] != task_id or type(words[1]) is not int:
        _refuse(task_id)
    try:
        return UUID(words[0]), words[1]
    except (TypeError, ValueError):
        _refuse(task_id)


def _refuse(task_id: str) -> NoReturn:
    logger.warning("Message %.100r is none of this scheduler's, and was dropped.", task_id)
    raise Ignore


def _conclude(run_id: UUID, token: int, ending: RunOutcome | None, status: Status | None) -> dict[str, Any]:
    """The task's result, once the run has ended and what waited for it was looked at."""
    outcome = {
        "status": str(status or Status.LOST),
        "exit_code": ending.exit_code if ending else None,
        "reason": str(ending.reason or "") if ending else "",
        "job": "",
        "token": token,
    }
    try:
        run = Run.objects.select_related("job").get(pk=run_id)
        outcome |= {"reason": run.reason or outcome["reason"], "job": run.job.name}
        if run.status not in OPEN:
            outcome["status"] = run.status
        tick.claim_after_run(run.job_id)
    except Exception as error:  # the run has ended well or badly, and is so recorded; the next tick is the backstop
        logger.warning(
            "What waits for run %s was not reconsidered: %s: %s", run_id, type(error).__name__, one_line(error)
        )
    if outcome["status"] == Status.SUCCEEDED:
        return outcome
    message = f"{outcome['job']}: {outcome['status']}. {outcome['reason']}"
    raise RunFailed(message, outcome)

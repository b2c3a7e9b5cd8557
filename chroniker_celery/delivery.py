"""One delivery of the task's message to a worker: executes the run that it names, or refuses."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, NoReturn
from uuid import UUID

from celery.app.task import Context
from celery.exceptions import Ignore

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.escaping import to_one_line
from chroniker.executors import report_connections
from chroniker.executors.database_report import DatabaseReport
from chroniker.models import OPEN_STATUSES, Run, Status
from chroniker.process.run_spec import RunOutcome
from chroniker.scheduler import tick
from chroniker.worker import supervisor
from chroniker.worker.machine import LocalMachine
from chroniker.worker.supervisor import Worker
from chroniker_celery import fitness, fork_server, sentry, shutdown, unknown_runs
from chroniker_celery.exceptions import RunFailed

logger = logging.getLogger(__name__)


def execute_delivery(request: Context, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Execute the run. Raises ``Ignore`` for a refused delivery, and ``RunFailed`` for a run that did not succeed."""
    run_id, token = _read_message(str(request.id), args, kwargs)
    _refuse_run_if_worker_cannot_supervise(run_id)
    sentry.set_sentry_transaction_name(str(request.shadow or ""), str(run_id))
    delivery = request.delivery_info or {}
    report = DatabaseReport(
        run_id, token, worker=str(request.hostname or ""), queue=str(delivery.get("routing_key") or "")
    )
    try:
        if shutdown.redispatch_run_if_shutting_down(run_id, token):
            raise Ignore(f"Run {run_id} was sent to another worker.")
        machine = LocalMachine(settings.runtime_dir, fork_server.current_fork_server())
        ending = supervisor.execute_run(report, Worker(machine, settings.hostname, shutdown.current_shutdown_notice()))
    except Ignore:
        raise
    except Exception:  # whether it started is unknown: the claim is dispatched again, or its lease expires
        if shutdown.is_cold_shutdown():  # the solo pool's signal handler raises from any point of the code
            logger.warning("Run %s ended with its worker, in a cold shutdown.", run_id)
        else:
            logger.exception("Run %s could not be supervised.", run_id)
        raise Ignore from None
    if ending is None and report.status is None:
        unknown_runs.log_and_count_if_unknown_run(run_id)
        raise Ignore(f"This delivery of run {run_id} was refused.")
    return _claim_waiting_jobs_and_make_result(report, ending)


def _read_message(task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[UUID, int]:
    """The run's id and token. A message that this project did not send must not overwrite the result of a run."""
    if kwargs or len(args) != 2 or args[0] != task_id or type(args[1]) is not int:
        _drop_message(task_id)
    try:
        return UUID(args[0]), args[1]
    except (TypeError, ValueError):
        _drop_message(task_id)


def _drop_message(task_id: str) -> NoReturn:
    logger.warning("Message %.100r was not sent by this scheduler, and was dropped.", task_id)
    raise Ignore


def _refuse_run_if_worker_cannot_supervise(run_id: UUID) -> None:
    """A job may name the queue of a worker that cannot supervise runs, after that worker has started."""
    if reason := fitness.reason_worker_cannot_supervise():
        logger.error("Run %s was not executed. %s", run_id, reason)
        lifecycle.record_dispatch_failures([run_id], database_now(), error=reason)
        raise Ignore(reason)


def _claim_waiting_jobs_and_make_result(report: DatabaseReport, ending: RunOutcome | None) -> dict[str, Any]:
    """Claim the jobs that waited for this run and may run now. Then return the task's result."""
    outcome = {
        "status": str(report.status or Status.LOST),
        "exit_code": ending.exit_code if ending else None,
        "reason": str(ending.reason or "") if ending else "",
        "job": report.job.name if report.job else "",
        "token": report.token,
    }
    try:
        outcome |= report_connections.retry_on_connection_error(
            partial(_read_outcome_and_claim_waiting_jobs, report, outcome)
        )
    except Exception as error:  # the run's end is recorded already; the next tick claims these jobs
        logger.warning(
            "Jobs that wait for run %s were not checked: %s: %s",
            report.run_id,
            type(error).__name__,
            to_one_line(error),
        )
    if outcome["status"] == Status.SUCCEEDED:
        return outcome
    message = f"{outcome['job']}: {outcome['status']}. {outcome['reason']}"
    raise RunFailed(message, outcome)


def _read_outcome_and_claim_waiting_jobs(report: DatabaseReport, reported: dict[str, Any]) -> dict[str, Any]:
    """Claim the jobs that waited for the run's end. Returns the outcome as the run's row shows it."""
    if report.status == Status.SUCCEEDED and report.job is not None:
        tick.claim_after_run(report.job.pk)  # the row shows nothing else
        return reported
    run = Run.objects.select_related("job").get(pk=report.run_id)
    tick.claim_after_run(run.job_id)
    status = reported["status"] if run.status in OPEN_STATUSES else run.status
    return {"reason": run.reason or reported["reason"], "job": run.job.name, "status": status}

"""Whether this worker can supervise runs, and on which of its queues they would arrive."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any, TypeAlias

from celery import Celery
from celery.concurrency import get_implementation
from django.db import Error, connections

from chroniker.escaping import to_one_line
from chroniker.exceptions import ExecutorError
from chroniker.executors import executors
from chroniker.models import Job
from chroniker.process import capabilities
from chroniker_celery.checks import EAGER_MODE_MESSAGE, GREENLET_POOL_MESSAGE, GREENLET_POOLS
from chroniker_celery.executor import CeleryExecutor
from chroniker_celery.queues import resolve_queue_names

logger = logging.getLogger(__name__)

#: ``celery.worker.WorkController``; its stubs are incomplete.
Worker: TypeAlias = Any

_unfit_because = ""


def reason_worker_cannot_supervise() -> str:
    """Why this worker cannot supervise runs. Empty in a fit worker, and outside a worker."""
    return _unfit_because


def check_worker_can_supervise(worker: Worker) -> bool:
    """Whether this worker can supervise runs. Ends the process if it cannot and consumes a queue that runs use."""
    global _unfit_because
    _unfit_because = reason = _find_reason_worker_cannot_supervise(worker)
    if not reason:
        return True
    queues = queues_for_runs_of_app(worker.app) & set(worker.app.amqp.queues.consume_from)
    if queues:
        raise SystemExit(
            f"{reason} This worker consumes queues of scheduled jobs ({', '.join(sorted(queues))}). Start it with "
            "--pool prefork, threads or solo, or give it other queues with --queues."
        )
    return False


def _find_reason_worker_cannot_supervise(worker: Worker) -> str:
    if get_implementation(worker.pool_cls).__module__.rpartition(".")[2] in GREENLET_POOLS:
        return GREENLET_POOL_MESSAGE
    if worker.app.conf.task_always_eager:
        return EAGER_MODE_MESSAGE
    return "; ".join(capabilities.missing_kernel_features())


def executors_of_app(app: Celery) -> list[CeleryExecutor]:
    """The executors that send their runs to the workers of this app."""
    found = []
    for alias in executors:
        try:
            executor = executors[alias]
            if isinstance(executor, CeleryExecutor) and executor.app is app:
                found.append(executor)
        except ExecutorError:  # a system check reports it
            continue
    return found


def queues_for_runs_of_app(app: Celery) -> set[str]:
    """The queues to which this app's executors send runs: those of enabled jobs, and the default one."""
    found: set[str] = set()
    for executor in executors_of_app(app):
        found |= resolve_queue_names(app, executor.queue, {"", *_queues_of_jobs(executor.alias)})
    return found


def _queues_of_jobs(alias: str) -> Collection[str]:
    try:
        return set(Job.objects.filter(enabled=True, executor=alias).order_by().values_list("queue", flat=True))
    except Error as error:  # the queue of jobs without a queue is known from the settings alone
        logger.warning("The queues of jobs cannot be read: %s", to_one_line(error))
        return ()
    finally:
        connections.close_all()  # the pool forks later, and must not inherit a connection

"""Celery's control commands ``revoke`` and ``terminate`` (Flower's buttons), applied to runs.

Celery would kill the pool's process, which is the supervisor; the run would count as lost and might be retried. Instead
the run is stopped: it gets SIGTERM, its grace, then SIGKILL, and is closed as STOPPED with the reason.
"""

from __future__ import annotations

import logging
import threading
from typing import Any
from uuid import UUID

from celery.signals import task_revoked
from celery.worker.request import Request
from django.db import connections

from chroniker.reasons import Code, Reason
from chroniker.scheduler import stopping
from chroniker_celery.publish import TASK_NAME

logger = logging.getLogger(__name__)


class RunRequest(Request):
    """A run's message in the worker's main process."""

    def terminate(self, pool: Any, signal: Any = None) -> None:
        """Stop the run, with any pool. ``signal`` is ignored: SIGTERM and the grace always come before SIGKILL."""
        stop_run_in_thread(self.id)


def connect_signals() -> None:
    task_revoked.connect(_on_revoked, dispatch_uid="chroniker_celery.revoked")


def _on_revoked(sender: Any, request: Any, terminated: bool, expired: bool, **kwargs: Any) -> None:
    """Stop a revoked run that had not started: a worker has dropped its message."""
    if sender.name == TASK_NAME and not terminated and not expired:
        stop_run_in_thread(request.id)


def stop_run_in_thread(task_id: str) -> None:
    """Stop the run in a thread: the main process must not wait for the database."""
    threading.Thread(target=_stop_run, args=(task_id,), name="chroniker-revoke", daemon=True).start()


def _stop_run(task_id: str) -> None:
    try:
        stopping.stop_run(UUID(task_id), Reason.of(Code.CONTROL_COMMAND).to_text())
    except Exception as error:  # an unknown id, or no database: the run continues, or is dispatched again
        logger.warning("Run %.100r could not be stopped by a control command: %s", task_id, error)
    finally:
        connections.close_all()

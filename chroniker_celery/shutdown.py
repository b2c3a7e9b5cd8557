"""The shutdown of a worker: running runs get the shutdown grace, and runs that have not started go to other workers.

A warm shutdown (SIGTERM, ``docker stop``, remote control's ``shutdown``) begins with Celery's signal, or when the
worker's parts close. From then on no run starts here: a message that arrives is sent again, for another worker.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from celery.signals import worker_shutting_down

from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.models import Run, Status
from chroniker.scheduler import dispatch
from chroniker.worker.shutdown_notice import ShutdownNotice

logger = logging.getLogger(__name__)

_notice: ShutdownNotice | None = None


def create_shutdown_notice() -> None:
    """Create the notice before the pool forks: its processes share it."""
    global _notice
    if _notice is None:
        _notice = ShutdownNotice()
        worker_shutting_down.connect(_on_shutting_down, dispatch_uid="chroniker_celery.leaving")


def current_shutdown_notice() -> ShutdownNotice | None:
    """``None`` outside a worker, and where the pool does not fork: there the worker waits for its runs."""
    return _notice


def _on_shutting_down(how: str = "", **kwargs: Any) -> None:
    """Runs in a signal handler. A cold shutdown is handled by the supervisor itself."""
    if how == "Warm":
        announce_shutdown()


def announce_shutdown() -> None:
    if _notice is not None:
        grace = settings.shutdown_grace
        _notice.announce(None if grace is None else grace.total_seconds())


def is_cold_shutdown() -> bool:
    """Whether this process is in a cold shutdown."""
    from celery.worker import state  # late: a process that only sends messages does not load Celery's worker

    return state.should_terminate is not None


def redispatch_run_if_shutting_down(run_id: UUID, token: int) -> bool:
    """Returns whether this worker is shutting down. Then the run, if it is still claimed, is dispatched again."""
    if _notice is None or not _notice.is_announced:
        return False
    claims = Run.objects.filter(pk=run_id, token=token, status=Status.CLAIMED).select_related("job")
    dispatch.dispatch(list(claims), database_now())
    logger.info("Run %s was sent to another worker, because this one is shutting down.", run_id)
    return True

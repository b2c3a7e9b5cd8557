"""What becomes of this worker's runs when it is told to end: they get their grace, and others take what is left.

A warm shutdown (SIGTERM, ``docker stop``, remote control's ``shutdown``) begins with a signal of Celery, or with the
closing of its parts. From then on no run begins here: whoever is handed a message sends it anew, for another worker.
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

_farewell: ShutdownNotice | None = None


def prepare() -> None:
    """Before the pool forks, so that its processes hear of it."""
    global _farewell
    if _farewell is None:
        _farewell = ShutdownNotice()
        worker_shutting_down.connect(_warned, dispatch_uid="chroniker_celery.leaving")


def current() -> ShutdownNotice | None:
    """``None`` outside of a worker, and where the pool's processes are not forked: there runs are waited for."""
    return _farewell


def _warned(how: str = "", **kwargs: Any) -> None:
    """In a signal handler. A cold shutdown has its own way (``supervisor``)."""
    if how == "Warm":
        announce()


def announce() -> None:
    if _farewell is not None:
        grace = settings.shutdown_grace
        _farewell.announce(None if grace is None else grace.total_seconds())


def is_at_once() -> bool:
    """Whether this process is told to end cold."""
    from celery.worker import state  # late: whoever only sends messages does not load Celery's worker

    return state.should_terminate is not None


def hand_over_unstarted(run_id: UUID, token: int) -> bool:
    """While this worker ends: have the run, if it is still to be had, taken by another one; whether it ends."""
    if _farewell is None or not _farewell.announced:
        return False
    claims = Run.objects.filter(pk=run_id, token=token, status=Status.CLAIMED).select_related("job")
    dispatch.dispatch(list(claims), database_now())
    logger.info("Run %s was left to another worker: this one ends.", run_id)
    return True

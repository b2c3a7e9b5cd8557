"""Messages for runs that this worker's database does not contain: perhaps two projects share one broker."""

from __future__ import annotations

import logging
import multiprocessing
from typing import Any
from uuid import UUID

from chroniker.models import Run

logger = logging.getLogger(__name__)

#: Shared by the worker's main process and the processes of its pool. None in processes that are no worker.
_counter: Any = None


def create_unknown_run_counter() -> None:
    """Create the shared counter. Call it before the worker's pool forks.

    It is not created at import: its memory is a file, and each command would inherit the descriptor.
    """
    global _counter
    _counter = multiprocessing.get_context("fork").Value("Q", 0)


def log_and_count_if_unknown_run(run_id: UUID) -> None:
    """Log and count a message for a run that is not in the database."""
    if Run.objects.filter(pk=run_id).exists():
        return
    if _counter is not None:
        with _counter.get_lock():
            _counter.value += 1
    logger.warning("Run %s is not in this database: do two projects share this broker? (Or was it deleted?)", run_id)


def unknown_run_message_count() -> int:
    """Messages for unknown runs since the worker's start."""
    return 0 if _counter is None else int(_counter.value)

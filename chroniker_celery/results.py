"""The project's result backend, as runs use it."""

from __future__ import annotations

import logging
from typing import Any

from celery.app.task import Task
from celery.backends.base import Backend

from chroniker.escaping import one_line

logger = logging.getLogger(__name__)

#: With ``result_backend_always_retry`` Celery tries for ever, unless it is told otherwise.
MOST_RETRIES = 5


class Results:
    """Stores what became of a run, or says in the log that it could not: the run's outcome is safe in its own table.

    A backend that is down must not keep the worker from its next run: nothing is raised, nothing is tried for ever.
    How long a single try takes is the backend's own setting. Everything else is the backend's own.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def mark_as_done(self, task_id: str, *args: Any, **kwargs: Any) -> None:
        self._mark("mark_as_done", task_id, *args, **kwargs)

    def mark_as_failure(self, task_id: str, *args: Any, **kwargs: Any) -> None:
        self._mark("mark_as_failure", task_id, *args, **kwargs)

    def _mark(self, how: str, task_id: str, *args: Any, **kwargs: Any) -> None:
        try:
            getattr(_impatient(self._backend), how)(task_id, *args, **kwargs)
        except Exception as error:  # whatever a backend raises when it is not there
            logger.warning(
                "The result of run %s was not stored: %s: %s", task_id, type(error).__name__, one_line(error)
            )


def _impatient(backend: Any) -> Any:
    """A twin of the backend that gives up. Both share their connections; other tasks keep theirs as it is."""
    twin = object.__new__(type(backend))  # not copy(): a backend copies itself by connecting anew
    vars(twin).update(vars(backend))
    twin.max_retries = min(backend.max_retries, MOST_RETRIES)
    return twin


class RunTask(Task):  # type: ignore[type-arg]  # subscriptable in its stubs only
    """A task whose results go through ``Results``."""

    abstract = True

    @property  # type: ignore[misc]  # nobody sets it
    def backend(self) -> Any:
        return Results(super().backend)

"""The project's Celery app."""

from __future__ import annotations

from celery import Celery, current_app

from chroniker.exceptions import ExecutorError, ImportRefused
from chroniker.executors import executors
from chroniker_celery.executor import CeleryExecutor


def app_named(path: str) -> Celery:
    """The app at ``project.celery:app``. Raises ``ImportRefused``."""
    try:
        return CeleryExecutor("", {"app": path}).app
    except ExecutorError as error:
        raise ImportRefused(str(error)) from error


def project_app() -> Celery:
    """The app of the Celery executor; without one, the current app of the process."""
    for alias in executors:
        if isinstance(found := executors[alias], CeleryExecutor):
            return found.app
    return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]

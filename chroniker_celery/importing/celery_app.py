"""The project's Celery app."""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

from celery import Celery, current_app

from chroniker.exceptions import ExecutorError, ImportRefused
from chroniker.executors import executors
from chroniker_celery.executor import CeleryExecutor


def import_celery_app(path: str) -> Celery:
    """The app at ``project.celery:app``. Raises ``ImportRefused``."""
    try:
        return CeleryExecutor("", {"app": path}).app
    except ExecutorError as error:
        raise ImportRefused(str(error)) from error


def find_project_celery_app() -> Celery:
    """The app of the Celery executor; without one, the current app of the process."""
    for alias in executors:
        if isinstance(found := executors[alias], CeleryExecutor):
            return found.app
    return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]


_lock = threading.RLock()
#: App -> whether its modules are imported. False: the import is under way.
_loaded: WeakKeyDictionary[Celery, bool] = WeakKeyDictionary()


def import_task_modules(app: Celery) -> bool:
    """Import the modules with this app's tasks, once in this process. Raises what they raise.

    Returns False if this thread is importing them already. Celery runs Django's checks during the import, when some
    tasks do not exist yet; these checks validate declared jobs.
    """
    with _lock:
        if app not in _loaded:
            _loaded[app] = False
            try:
                app.loader.import_default_modules()
                app.finalize()  # calls what the project connected to on_after_finalize, which may add periodic tasks
            except BaseException:
                del _loaded[app]
                raise
            _loaded[app] = True
        return _loaded[app]

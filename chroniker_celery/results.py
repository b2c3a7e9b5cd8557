"""The project's result backend, as runs use it, and the class of the task."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from copy import copy
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from celery import Celery
from celery.app.annotations import resolve_all
from celery.app.task import Task
from celery.backends.base import Backend
from django.db import IntegrityError, connections
from django.db.models import QuerySet

from chroniker.conf import settings
from chroniker.escaping import to_one_line
from chroniker.executors import report_connections
from chroniker.executors.transaction_setting import use_asynchronous_commit
from chroniker.models import Run
from chroniker_celery.publish import TASK_NAME

logger = logging.getLogger(__name__)

#: With ``result_backend_always_retry`` Celery would retry without limit.
MAX_RETRIES = 5
#: Results that one statement reads or deletes.
RESULTS_PER_BATCH = 500


class RunResultBackend:
    """Stores the result of a run. Where that fails, logs it: the run's outcome is in the database of the runs.

    If the result backend is down, the worker must still take its next run. So no exception is raised, and the number
    of retries is limited. The backend's own settings limit the duration of each attempt. Everything else is delegated
    to the backend.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def mark_as_done(self, task_id: str, *args: Any, **kwargs: Any) -> None:
        self._store_result("mark_as_done", task_id, *args, **kwargs)

    def mark_as_failure(self, task_id: str, *args: Any, **kwargs: Any) -> None:
        self._store_result("mark_as_failure", task_id, *args, **kwargs)

    def _store_result(self, method: str, task_id: str, *args: Any, **kwargs: Any) -> None:
        try:
            backend = _copy_backend_with_few_retries(self._backend)
            if is_in_database := _is_django_results_backend(backend):
                _make_backend_insert_first(backend)
            store = partial(getattr(backend, method), task_id, *args, **kwargs)
            # The parent of a pool stores results of lost processes: it keeps no connection, because it forks.
            if is_in_database and report_connections.has_idle_connection():
                report_connections.retry_on_connection_error(partial(_store_with_asynchronous_commit, store))
            else:
                store()
        except Exception as error:  # any backend's exception
            logger.warning(
                "The result of run %s was not stored: %s: %s", task_id, type(error).__name__, to_one_line(error)
            )


def _store_with_asynchronous_commit(store: Callable[[], Any]) -> None:
    """Do not wait for the disk: the run's own record has its outcome, and that commit has waited."""
    with use_asynchronous_commit(settings.database):
        store()


def _copy_backend_with_few_retries(backend: Any) -> Any:
    """A copy of the backend that retries a few times only. It shares the connections; other tasks keep the original."""
    copied = object.__new__(type(backend))  # not copy(): a backend's copy opens new connections
    vars(copied).update(vars(backend))
    copied.max_retries = min(backend.max_retries, MAX_RETRIES)
    return copied


def _is_django_results_backend(backend: Backend) -> bool:
    """Whether it is the backend of django-celery-results, which stores results through Django's connections."""
    return type(backend).__module__.startswith("django_celery_results.backends.database")


class _InsertFirstQuerySet(QuerySet[Any]):
    def get_or_create(self, defaults: Any = None, **key: Any) -> tuple[Any, bool]:
        self._for_write = True
        if not connections[self.db].in_atomic_block:
            with suppress(IntegrityError):  # this task has a result already
                return self.create(**key, **(defaults or {})), True
        return super().get_or_create(defaults, **key)


def _make_backend_insert_first(backend: Any) -> None:
    """Let this copy of the backend store a new result by one INSERT, without a SELECT and a transaction."""
    from django_celery_results.models import TaskResult  # an optional package

    if backend.TaskModel is TaskResult:  # else the project's own
        manager = copy(TaskResult._default_manager)
        manager.get_queryset = partial(_InsertFirstQuerySet, TaskResult)  # type: ignore[method-assign]
        backend.TaskModel = SimpleNamespace(_default_manager=manager, DoesNotExist=TaskResult.DoesNotExist)


def delete_results(app: Celery, run_ids: Collection[UUID]) -> None:
    """Delete the results of these runs, if the result backend is django-celery-results; else do nothing."""
    if _is_django_results_backend(app.backend) and run_ids:
        from django_celery_results.models import TaskResult  # an optional package

        TaskResult.objects.filter(task_id__in=[str(run_id) for run_id in run_ids]).delete()


def delete_orphaned_results(app: Celery, before: dt.datetime) -> int:
    """Delete the results of our task that were stored before this time and whose run does not exist any more.

    Returns how many. It works in portions, in the order of the ids. A result has the name of its task if the project
    sets ``result_extended``. Results without a name are kept, because their task is not known.
    """
    if not _is_django_results_backend(app.backend):
        return 0
    from django_celery_results.models import TaskResult  # an optional package

    deleted, after = 0, ""
    old = TaskResult.objects.filter(task_name=TASK_NAME, date_done__lt=before).order_by("task_id")
    while portion := list(old.filter(task_id__gt=after).values_list("task_id", flat=True)[:RESULTS_PER_BATCH]):
        runs = Run.objects.filter(pk__in=[run_id for text in portion if (run_id := _parse_run_id(text))])
        known = set(runs.values_list("pk", flat=True))
        orphans = TaskResult.objects.filter(task_id__in=[text for text in portion if _parse_run_id(text) not in known])
        deleted += orphans.delete()[0]
        after = portion[-1]
    return deleted


def _parse_run_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:  # of a message that this project did not send
        return None


class RunTask(Task):  # type: ignore[type-arg]  # subscriptable in its stubs only
    """The task that executes runs. Results go through ``RunResultBackend``; control commands stop the run."""

    abstract = True
    Request = "chroniker_celery.revocation:RunRequest"
    #: Not None, or ``task_default_rate_limit`` would apply. Jobs have groups with limits.
    rate_limit = "0"

    @property  # type: ignore[misc]  # never set
    def backend(self) -> Any:
        return RunResultBackend(super().backend)

    @classmethod
    def annotate(cls) -> None:
        """Apply no ``task_annotations``: a time limit would end the supervisor, and the run would count as lost.

        Jobs have their own timeout, retries and queue. The worker logs what it ignored.
        """


def ignored_task_annotations(task: Any) -> list[str]:
    """Names in the project's ``task_annotations`` that match the task and are not applied."""
    return sorted({name for found in resolve_all(task.app.annotations, task) if found for name in found})

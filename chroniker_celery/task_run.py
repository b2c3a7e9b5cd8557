"""Runs a task in the process of a run."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from celery.exceptions import Retry
from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from chroniker.command_api.current import current_run
from chroniker_celery.task_call import AnyTask

#: How many characters of the result are printed.
MAX_RESULT_LENGTH = 10_000


def run_task(task: AnyTask, args: list[Any], kwargs: dict[str, Any], *, retry_inline: bool = False) -> str:
    """Run the task's function here; returns its result as text. Raises what the task raises.

    In the task, ``self.request`` has the id of the run, the number of earlier attempts as ``retries``, and the
    variables of the run as ``headers``. ``self.retry()`` ends the run as failed, and the retry policy of its job
    decides; with ``retry_inline`` Celery repeats the task at once, in this run.
    """
    with _turn_retries_into_failures(task, retry_inline):
        result = task.apply(args, kwargs, throw=False, **_request_fields(os.environ))
    if isinstance(result.result, Retry):
        raise CommandError(_("The task asked for a retry: %(error)s") % {"error": result.result})
    value = result.get()
    return "" if value is None else repr(value)[:MAX_RESULT_LENGTH]


def _request_fields(environment: Mapping[str, str]) -> dict[str, Any]:
    run = current_run()
    if run is None:
        return {}
    return {"task_id": str(run.run_id), "retries": run.attempt - 1, "headers": run.to_environment()}


@contextmanager
def _turn_retries_into_failures(task: AnyTask, retry_inline: bool) -> Iterator[None]:
    """Within the block the task's ``retry`` only raises ``Retry``. ``autoretry_for`` calls it, too."""
    if retry_inline:
        yield
        return
    task.retry = _raise_retry
    try:
        yield
    finally:
        del task.retry  # the method of its class is left


def _raise_retry(*args: Any, exc: BaseException | None = None, **options: Any) -> NoReturn:
    """In place of ``Task.retry``. Its countdown, eta and max_retries do not apply."""
    cause = exc or sys.exc_info()[1]
    if cause is None:
        raise Retry(_("It gave no reason."), is_eager=True)
    traceback.print_exception(cause)
    raise Retry(f"{type(cause).__name__}: {cause}", is_eager=True)

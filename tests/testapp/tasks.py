"""Celery tasks of the test project. Imported only where Celery is installed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from celery import shared_task
from django.core.management import CommandError, call_command

from tests.testapp.witnessing import witnessed


@shared_task(name="testapp.witness")
def witness(path: str, job: str, seconds: float = 0.0) -> str:
    """Write into the witness file when it begins and when it ends."""
    with witnessed(Path(path), job):
        time.sleep(seconds)
    return f"witnessed by {job}"


@shared_task(name="testapp.retries", bind=True, max_retries=0)
def retries(self: Any, fail_until: int = 1, countdown: float = 5) -> str:
    """Ask for a retry in the first attempts."""
    if self.request.retries < fail_until:
        try:
            raise LookupError("no such shop yet")
        except LookupError as error:
            raise self.retry(exc=error, countdown=countdown) from error
    request = self.request
    return f"run {request.id}, attempt {request.retries + 1}, job {request.headers['CHRONIKER_JOB_NAME']}"


@shared_task(name="testapp.retries_by_itself", autoretry_for=(LookupError,), retry_backoff=5)
def retries_by_itself() -> None:
    raise LookupError("no such shop yet")


@shared_task(name="testapp.retries_without_a_reason", bind=True)
def retries_without_a_reason(self: Any) -> None:
    self.retry()


@shared_task(name="testapp.takes", typing=True)
def takes(year: int, *, full: bool = False) -> int:
    """Take arguments.

    More words.
    """
    return year


@shared_task(name="testapp.takes_anything", typing=False)
def takes_anything(year: int) -> str:
    return "x" * 20_000


@shared_task(name="testapp.labour", bind=True, max_retries=None, default_retry_delay=86_400)
def labour(self: Any, job: str, /, **options: Any) -> None:
    """The command ``labour`` as a task: asks for a retry when it fails."""
    try:
        call_command("labour", job, **options)
    except CommandError as error:
        raise self.retry(exc=error) from error

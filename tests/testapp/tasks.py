"""Celery tasks of the test project. Imported only where Celery is installed."""

from __future__ import annotations

import time
from pathlib import Path

from celery import shared_task

from tests.testapp.witnessing import witnessed


@shared_task(name="testapp.witness")
def witness(path: str, job: str, seconds: float = 0.0) -> str:
    """Write into the witness file when it begins and when it ends."""
    with witnessed(Path(path), job):
        time.sleep(seconds)
    return f"witnessed by {job}"

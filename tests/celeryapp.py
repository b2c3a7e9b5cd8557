"""The Celery app of the test project: ``python -m celery -A tests.celeryapp worker``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

app = Celery("tests")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
@beat_init.connect
def report_ready(**_: Any) -> None:
    """Create the file that the test waits for."""
    if path := os.environ.get("CHRONIKER_TEST_READY_FILE"):
        Path(path).touch()

"""What a process of the project loads that is not a worker."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.celery

PROGRAM = """
import sys, django
django.setup()
from celery import current_app
assert "chroniker_celery.execute" in current_app.tasks
print(*(name for name in sys.modules if name.startswith("chroniker_celery.")))
"""


def test_only_workers_load_what_executes_runs(subprocess_env: dict[str, str]) -> None:
    words = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(words, env=subprocess_env, capture_output=True, text=True, check=True, timeout=300)
    loaded = set(done.stdout.split())
    assert "chroniker_celery.tasks" in loaded
    assert not loaded & {"chroniker_celery.delivery", "chroniker_celery.worker", "chroniker_celery.fitness"}

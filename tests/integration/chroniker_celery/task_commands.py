"""The command that runs a Celery task."""

from __future__ import annotations

import shlex

COMMAND = "run_celery_task"


def words(*given: str) -> str:
    return shlex.join(given)

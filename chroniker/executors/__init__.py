"""Executors take claimed runs to where they execute. An alias names a backend, as in Django's ``TASKS``.

Belongs here: backends without Celery, and the reports of a supervisor to the database. Does not belong here: the
decision which runs to dispatch (``scheduler``), and the supervision of a run (``worker``).
"""

from __future__ import annotations

from chroniker.executors.base import Executor, InProcessExecutor
from chroniker.executors.registry import executors

__all__ = ["Executor", "InProcessExecutor", "executors"]

"""Where claimed runs execute: an alias names a backend, as in Django's own ``TASKS`` and ``STORAGES``."""

from __future__ import annotations

from chroniker.executors.base import Executor
from chroniker.executors.hosted import HostedExecutor
from chroniker.executors.registry import executors

__all__ = ["Executor", "HostedExecutor", "executors"]

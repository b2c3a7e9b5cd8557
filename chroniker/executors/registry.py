"""Executors by alias, one of each per process."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from chroniker.conf import settings
from chroniker.exceptions import ExecutorError
from chroniker.executors.base import Executor


class ExecutorRegistry:
    """``executors["default"]`` is created at its first use."""

    def __init__(self) -> None:
        self._made: dict[str, Executor] = {}
        self._lock = threading.Lock()

    def __getitem__(self, alias: str) -> Executor:
        with self._lock:
            if alias not in self._made:
                self._made[alias] = self._create(alias)
            return self._made[alias]

    def __iter__(self) -> Iterator[str]:
        return iter(settings.executors)

    def in_process_executor_aliases(self) -> list[str]:
        """The aliases of executors that execute in the dispatching process; without those that cannot be created."""
        return [alias for alias in self if self._executes_here(alias)]

    def _executes_here(self, alias: str) -> bool:
        try:
            return self[alias].executes_here
        except ExecutorError:
            return False

    def _create(self, alias: str) -> Executor:
        try:
            config = settings.executors[alias]
        except KeyError:
            known = ", ".join(sorted(settings.executors)) or "none"
            raise ExecutorError(f"There is no executor {alias!r} in CHRONIKER_EXECUTORS; there is: {known}.") from None
        try:
            backend = import_string(config["BACKEND"])
        except (KeyError, ImportError) as error:
            raise ExecutorError(f"CHRONIKER_EXECUTORS[{alias!r}]['BACKEND'] cannot be imported: {error}") from error
        executor: Executor = backend(alias, config.get("OPTIONS", {}))
        return executor

    def close(self) -> None:
        """Close all; the next use creates them again."""
        with self._lock:
            made, self._made = self._made, {}
        for executor in made.values():
            executor.close()


executors = ExecutorRegistry()


def _close_executors_on_setting_change(*, setting: str, **kwargs: object) -> None:
    if setting == "CHRONIKER_EXECUTORS":
        executors.close()


setting_changed.connect(_close_executors_on_setting_change)

"""The additional interface of executors whose runs execute in the dispatching process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar
from uuid import UUID

from chroniker.conf import settings
from chroniker.executors.base import Executor
from chroniker.models import Run


class HostedExecutor(Executor):
    """Executes runs in this process. It accepts only runs that this host may start."""

    executes_here: ClassVar[bool] = True

    @staticmethod
    def for_here(runs: Sequence[Run]) -> list[Run]:
        """The runs that this host may start; the others wait for a tick of their own host."""
        return [run for run in runs if run.required_host in ("", settings.hostname)]

    def open(self) -> None:
        """Allow ``dispatch`` to accept runs: this process stays until they have ended."""

    @property
    def busy(self) -> bool:
        """Whether ``finished`` has not yet returned all runs that this process accepted."""
        return False

    @property
    def running(self) -> Collection[UUID]:
        """The accepted runs that have not ended."""
        return ()

    def give_back(self) -> Collection[UUID]:
        """At shutdown: drop the accepted runs that have not begun; returns their ids, for another dispatch."""
        return ()

    def end_runs(self) -> None:
        """At shutdown: stop the running runs. They are closed as interrupted."""

    def finished(self, timeout: float | None) -> list[int]:
        """Wait for the end of a run, or ``timeout`` seconds; returns the jobs of the runs that ended meanwhile."""
        del timeout
        return []

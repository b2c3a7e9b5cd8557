"""What executors whose runs execute in the dispatching process promise in addition."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar
from uuid import UUID

from chroniker.conf import settings
from chroniker.executors.base import Executor
from chroniker.models import Run


class HostedExecutor(Executor):
    """Executes runs in this process. It takes only those that this host may start."""

    executes_here: ClassVar[bool] = True

    @staticmethod
    def for_here(runs: Sequence[Run]) -> list[Run]:
        """The runs that this host may start; the others wait for a tick of their own host."""
        return [run for run in runs if run.required_host in ("", settings.hostname)]

    def open(self) -> None:
        """This process stays until its runs have ended: from now on ``dispatch`` may take some."""

    @property
    def busy(self) -> bool:
        """Whether a run that this process took has not been returned by ``finished`` yet."""
        return False

    @property
    def running(self) -> Collection[UUID]:
        """Runs that this process took and that have not ended."""
        return ()

    def give_back(self) -> Collection[UUID]:
        """This process is to end: forget the runs that have not begun; their ids, to be offered elsewhere."""
        return ()

    def end_runs(self) -> None:
        """This process is to end: have its runs stopped, and closed as runs whose worker shut down."""

    def finished(self, timeout: float | None) -> list[int]:
        """Wait until a run ends, or ``timeout`` seconds; the jobs of the runs that ended since the last call."""
        del timeout
        return []

"""What an executor promises. One suite of tests runs against all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.core.checks import CheckMessage

from chroniker.conf import settings
from chroniker.models import Run


class Executor:
    """Takes claimed runs to where they execute. Losing a run, or taking it twice, does no harm: the database decides.

    Subclass it, name the class in ``CHRONIKER_EXECUTORS``, and run the contract suite over it.
    """

    #: Executes in this process: whoever dispatches has to stay until the runs have ended. Such an executor takes only
    #: what is ``for_here``; any other delivers a run that has a target to that host.
    executes_here: ClassVar[bool] = False
    #: Delivers to the job's queue.
    supports_queues: ClassVar[bool] = False
    #: Delivers in the order of the job's priority.
    supports_priority: ClassVar[bool] = False

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        self.alias = alias
        self.options = options

    def dispatch(self, runs: Sequence[Run]) -> Collection[UUID]:
        """Hand over runs, each with its ``job`` loaded; the ids of those that were taken.

        Called after the claim was committed, outside any transaction. Those not taken are offered again by a later
        tick. An exception means that none was taken, as far as anyone knows.
        """
        raise NotImplementedError

    def request_stop(self, run_id: UUID) -> None:
        """A hint that a stop was asked of this run, so that its supervisor need not wait for its next renewal."""

    def check(self) -> list[CheckMessage]:
        """Problems with this executor's settings, for Django's system checks. Must not need a server."""
        return []

    @staticmethod
    def for_here(runs: Sequence[Run]) -> list[Run]:
        """Those that this host may start; the others wait for their own host's tick."""
        return [run for run in runs if run.required_host in ("", settings.hostname)]

    def diagnose(self, queues: Collection[str]) -> list[CheckMessage]:
        """What is wrong right now with the servers and workers that it needs, for ``manage.py doctor``.

        ``queues``: those that enabled jobs of this executor name; empty text: none. Ends within some seconds.
        """
        del queues
        return []

    # -- for executors that execute here ---------------------------------------------------------------------

    def open(self) -> None:
        """This process stays until the runs it takes have ended: from now on ``dispatch`` may take some."""

    @property
    def busy(self) -> bool:
        """Runs that this process took have not ended yet."""
        return False

    @property
    def running(self) -> Collection[UUID]:
        """Runs that this process took and that have not ended."""
        return ()

    def give_back(self) -> Collection[UUID]:
        """This process is to end: forget the runs that wait in line; their ids, to be offered again elsewhere."""
        return ()

    def end_runs(self) -> None:
        """This process is to end: have its runs stopped, and closed as runs whose worker ended under them."""

    def finished(self, timeout: float | None) -> list[int]:
        """Wait until a run of this process ends, or ``timeout`` seconds; the jobs whose runs ended since last asked."""
        del timeout
        return []

    def close(self) -> None:
        """Wait for the runs that this process took, and free what it holds."""

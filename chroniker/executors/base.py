"""The interfaces of executors: of all, and of those whose runs execute in the dispatching process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar
from uuid import UUID

from django.core.checks import CheckMessage

from chroniker.conf import settings
from chroniker.models import Job, Run

#: The longest wait of a page for each step of a dispatch. The next tick dispatches the remaining runs.
WAITING_PERSON_TIMEOUT_SECONDS = 0.4
_step_timeout: ContextVar[float] = ContextVar("dispatch_step_timeout", default=float("inf"))


@contextmanager
def limit_dispatch_time_for_waiting_person() -> Iterator[None]:
    """Within this block executors give up early, because a page or a terminal waits for the dispatch."""
    token = _step_timeout.set(WAITING_PERSON_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        _step_timeout.reset(token)


def dispatch_step_timeout() -> float:
    """The limit for each step of a dispatch; infinite where no person waits."""
    return _step_timeout.get()


class Executor:
    """Takes claimed runs to where they execute. A lost or repeated run does no harm: the database decides.

    Subclass it, name the class in ``CHRONIKER_EXECUTORS``, and run the contract suite over it. An executor whose runs
    execute in the dispatching process is a subclass of ``InProcessExecutor``.
    """

    #: Executes in the dispatching process, which has to stay until the runs have ended. Any other executor delivers a
    #: run that requires a host to that host.
    executes_here: ClassVar[bool] = False
    #: Delivers to the job's queue.
    supports_queues: ClassVar[bool] = False
    #: Delivers in the order of the job's priority.
    supports_priority: ClassVar[bool] = False

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        self.alias = alias
        self.options = options

    def dispatch(self, runs: Sequence[Run]) -> Collection[UUID]:
        """Hand over runs, each with its ``job`` loaded; returns the ids of the accepted runs. If they have queues: as a
        mapping from the id to the name of the queue.

        Called after the commit of the claim, outside any transaction. A later tick offers the other runs again. An
        exception means that, as far as known, no run was accepted.
        """
        raise NotImplementedError

    def queue_for(self, job: Job) -> str | None:
        """The queue to which ``dispatch`` will send a run of this job; empty: it has none.

        The claim then records the dispatch in advance, which saves a transaction; ``dispatch`` must be called right
        after its commit. ``None``: not known, and the dispatch is recorded afterwards.
        """
        del job
        return None

    def request_stop(self, run_id: UUID) -> None:
        """A stop was requested for this run: wake its supervisor, so that it does not wait for its next renewal."""

    def stop_or_continue_consuming(self, worker: str, queues: Sequence[str], *, stop: bool) -> None:
        """A hint. ``stop``: the host of this worker is draining, so the worker should get no more messages.

        Without ``stop`` the drain has ended. The start of a run checks the drain in any case.
        """

    def forget(self, run_ids: Collection[UUID]) -> None:
        """These runs are deleted: delete what is stored about them elsewhere, such as results of tasks."""

    def delete_data_of_deleted_runs(self, before: dt.datetime) -> int:
        """Delete what was stored elsewhere before this time about runs that do not exist any more; returns how many.

        ``forget`` leaves something behind if it fails, or if the result comes after the run was deleted.
        """
        del before
        return 0

    def check(self) -> list[CheckMessage]:
        """Problems with this executor's settings, for Django's system checks. Must not need a server."""
        return []

    def diagnose(self, queues: Collection[str]) -> list[CheckMessage]:
        """Current problems of the servers and workers that it needs, for ``manage.py doctor``.

        ``queues``: the queues of this executor's enabled jobs; an empty text is a job without queue. Takes some seconds
        at most.
        """
        del queues
        return []

    def close(self) -> None:
        """Free its resources; an executor of this host waits for its runs first."""


class InProcessExecutor(Executor):
    """Executes runs in this process. It accepts only runs that this host may start."""

    executes_here: ClassVar[bool] = True

    @staticmethod
    def runs_for_this_host(runs: Sequence[Run]) -> list[Run]:
        """The runs that this host may start; the others wait for a tick of their own host."""
        return [run for run in runs if run.required_host in ("", settings.hostname)]

    @property
    def worker(self) -> str:
        """The name of this process as a worker, in runs and in the list of workers."""
        return f"{self.alias}@{settings.hostname}"

    @property
    def slots(self) -> int | None:
        """How many runs it executes at once. ``None``: one after the other, in the dispatching thread."""
        return None

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

    def drop_unstarted_runs(self) -> Collection[UUID]:
        """At shutdown: drop the accepted runs that have not begun; returns their ids, for another dispatch."""
        return ()

    def stop_running_runs(self) -> None:
        """At shutdown: stop the running runs. They are closed as interrupted."""

    def finished(self, timeout: float | None) -> list[int]:
        """Wait for the end of a run, or ``timeout`` seconds; returns the jobs of the runs that ended meanwhile."""
        del timeout
        return []

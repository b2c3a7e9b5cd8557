"""The safeguards that can be removed, one at a time, to verify that the checker reports the violations.

A mutation that the product never calls proves nothing. Each call is recorded in a file, and the runner fails a trial
without such a record. A name that the product no longer has raises ``AttributeError`` when a process starts.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

#: Names the file that records calls. Set by the runner in each process of the scheduler.
CALLS_VARIABLE = "CHRONIKER_TEST_MUTATION_CALLS"


def replace(module_name: str, name: str, make: Callable[[Any], Any]) -> None:
    """Put ``make(original)`` in the place of ``module_name.name``. It must take the same arguments.

    A call that failed with a TypeError would look like a violation, and prove nothing.
    """
    module = import_module(module_name)
    original = getattr(module, name)
    replacement = make(original)
    if inspect.isfunction(replacement) and not _takes_the_arguments_of(original, replacement):
        raise TypeError(f"The replacement of {module_name}.{name} takes other arguments.")
    setattr(module, name, replacement)


def _takes_the_arguments_of(original: Callable[..., Any], replacement: Callable[..., Any]) -> bool:
    taken = inspect.signature(replacement).parameters
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken.values())
    return takes_all or set(inspect.signature(original).parameters) <= set(taken)


def record_call() -> None:
    """Record, once per process, that a replaced function was called."""
    if (path := os.environ.get(CALLS_VARIABLE)) and not _recorded:
        _recorded.append(os.getpid())
        Path(path).touch()


_recorded: list[int] = []


def was_called(path: Path) -> bool:
    return path.exists()


def lease_check() -> None:
    """A tick expires a run without asking whether its lease ran out."""
    from chroniker.conf import Settings

    class WithoutDrift(Settings):
        @property
        def drift_allowance(self) -> dt.timedelta:
            record_call()
            return -2 * self.lease

    for module in ("chroniker.lifecycle.expiry", "chroniker.scheduler.pending_work_queries"):
        replace(module, "settings", lambda original: WithoutDrift())


def keeper_deadline() -> None:
    """The command continues although its lease could not be renewed."""

    def make(order: Callable[..., Any]) -> Callable[..., Any]:
        def endless(*args: Any, **options: Any) -> Any:
            record_call()
            return dataclasses.replace(order(*args, **options), lease=10_000.0, margin=0.0)

        return endless

    replace("chroniker.executors.database_report", "make_run_spec", make)


def start_compare_and_set() -> None:
    """Every receiver of a message may start its run."""
    from chroniker.clock.database_clock import NowPlus
    from chroniker.lifecycle.start import StartedRun
    from chroniker.models import Run, Status

    def start(run_id: UUID, token: int, nonce: UUID, *, host: str, pid: int, **story: Any) -> StartedRun | None:
        record_call()
        Run.objects.filter(pk=run_id, finished_at=None).update(
            status=Status.RUNNING, started_at=NowPlus(), nonce=nonce, host=host, pid=pid, redispatch_at=None
        )
        run = Run.objects.select_related("job").filter(pk=run_id).first()
        return StartedRun(run, run.job, stop_requested=False) if run else None

    replace("chroniker.lifecycle", "start", lambda original: start)


def unique_lease() -> None:
    """A claim ignores existing leases, and the database's unique key does not refuse a second one."""
    from chroniker.models import Lease

    def make(insert: Callable[..., Any]) -> Callable[..., Any]:
        def insert_beside(model: type[Any], rows: Any) -> None:
            for row in rows if model is Lease else ():
                record_call()
                row.slot = f"{row.slot}#{row.token}"
            insert(model, rows)

        return insert_beside

    replace("chroniker.lifecycle.claim", "insert_rows", make)


def redispatch() -> None:
    """A message that is lost is never sent again."""

    def never(now: dt.datetime, *, is_draining: bool = False) -> int:
        record_call()
        return 0

    replace("chroniker.scheduler.dispatch", "redispatch_overdue_claims", lambda original: never)


MUTATIONS: dict[str, Callable[[], None]] = {
    "lease-check": lease_check,
    "keeper-deadline": keeper_deadline,
    "start-compare-and-set": start_compare_and_set,
    "unique-lease": unique_lease,
    "redispatch": redispatch,
}


def apply(name: str) -> None:
    """In each process of the scheduler, before it begins."""
    MUTATIONS[name]()

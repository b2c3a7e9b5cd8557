"""The safeguards that can be taken out, one at a time, to see that the judge notices."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from importlib import import_module
from typing import Any
from uuid import UUID


def lease_check() -> None:
    """A tick calls a run lost without asking whether its lease ran out."""
    from chroniker.conf import Settings

    class Careless(Settings):
        @property
        def drift_allowance(self) -> dt.timedelta:
            return -2 * self.lease

    vars(import_module("chroniker.lifecycle.close"))["settings"] = Careless()


def keeper_deadline() -> None:
    """The command lives on although its lease could not be renewed."""
    from chroniker.executors import database_report

    order = database_report.order

    def endless(*words: Any, **named: Any) -> Any:
        return dataclasses.replace(order(*words, **named), lease=10_000.0, margin=0.0)

    vars(database_report)["order"] = endless


def start_compare_and_set() -> None:
    """Whoever gets a message may start its run."""
    from chroniker import lifecycle
    from chroniker.clock.database_clock import FromNow
    from chroniker.lifecycle.start import Started
    from chroniker.models import Run, Status

    def start(run_id: UUID, token: int, nonce: UUID, *, host: str, pid: int) -> Started | None:
        Run.objects.filter(pk=run_id, finished_at=None).update(
            status=Status.RUNNING, started_at=FromNow(), nonce=nonce, host=host, pid=pid, redispatch_at=None
        )
        run = Run.objects.select_related("job").filter(pk=run_id).first()
        return Started(run, run.job, stop=False) if run else None

    vars(lifecycle)["start"] = start


def unique_lease() -> None:
    """No lease is in the way of another: a claim sees none, and the database's unique key does not object."""
    from chroniker.models import Lease

    claim = import_module("chroniker.lifecycle.claim")
    insert = claim.insert

    def insert_beside(model: type[Any], rows: Any) -> None:
        for row in rows if model is Lease else ():
            row.slot = f"{row.slot}#{row.token}"
        insert(model, rows)

    vars(claim)["insert"] = insert_beside


def redispatch() -> None:
    """A message that is lost is never sent again."""
    from chroniker.scheduler import dispatch

    vars(dispatch)["dispatch_again"] = lambda now: 0


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

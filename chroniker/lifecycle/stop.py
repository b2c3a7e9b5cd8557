"""Request the stop of runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from chroniker.clock.database_clock import NowPlus
from chroniker.lifecycle.close import cancel_unstarted_runs
from chroniker.lifecycle.events import add_event_to_runs
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import OPEN_STATUSES, EventKind, Run
from chroniker.reasons import Reason


def request_stop(run_id: UUID, requested_by: str) -> bool:
    """Request the stop of an open run; returns whether it was open. ``requested_by``: the requester's name, or
    its code as ``Reason.to_text`` writes it.

    A run that has not started ends at once as STOPPED. The supervisor of a running one reads the request with its
    next renewal at the latest: it sends SIGTERM, waits for the grace time, then kills. A second request changes
    nothing. The request for a run on every host goes to all its children.
    """
    if request_stops([run_id], requested_by):
        return True
    return Run.objects.filter(pk=run_id, status__in=OPEN_STATUSES).exists()


def request_stops(run_ids: Collection[UUID], requested_by: str) -> bool:
    """Like ``request_stop`` for several runs; returns whether any request is new. A constant number of statements."""
    requested = _write_stop_requests(run_ids, requested_by)
    if requested:
        cancel_unstarted_runs(requested)
    return bool(requested)


@transactional
def _write_stop_requests(run_ids: Collection[UUID], requested_by: str) -> list[UUID]:
    """Write the request to these runs and their children; returns their ids. Children first, as closing locks them."""
    candidates = Run.objects.filter(status__in=OPEN_STATUSES, stop_requested_at=None)
    children = list(lock_rows(candidates.filter(parent__in=run_ids), skip=False).values_list("pk", flat=True))
    own = list(lock_rows(candidates.filter(pk__in=run_ids), skip=False).values_list("pk", flat=True))
    if not children and not own:
        return []
    values: Any = {"stop_requested_at": NowPlus(), "stop_requested_by": requested_by[:150]}
    candidates.filter(pk__in=[*children, *own]).update(**values)
    add_event_to_runs(own, EventKind.STOP_REQUESTED, Reason.from_text(requested_by))
    return [*children, *own]

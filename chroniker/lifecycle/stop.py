"""Request the stop of a run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chroniker.clock.database_clock import FromNow
from chroniker.lifecycle.close import cancel
from chroniker.lifecycle.events import note
from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import OPEN, EventKind, Run


def request_stop(run_id: UUID, by: str) -> bool:
    """Request the stop of an open run; returns whether it was open. ``by``: the requester's name, for the record.

    A run that has not started ends at once as STOPPED. The supervisor of a running one learns of the request with its
    next renewal at the latest: it sends SIGTERM, waits for the grace time, then kills. A second request changes
    nothing. The request for a run on every host goes to all its children.
    """
    requested = _request(run_id, by)
    if not requested:
        return Run.objects.filter(pk=run_id, status__in=OPEN).exists()
    cancel(requested)
    return True


@transactional
def _request(run_id: UUID, by: str) -> list[UUID]:
    """Write the request to this run and its children; returns their ids. Children first, as closing locks them."""
    candidates = Run.objects.filter(status__in=OPEN, stop_requested_at=None)
    children = list(locked(candidates.filter(parent=run_id), skip=False).values_list("pk", flat=True))
    values: Any = {"stop_requested_at": FromNow(), "stop_requested_by": by[:150]}
    if children:
        candidates.filter(pk__in=children).update(**values)
    if not candidates.filter(pk=run_id).update(**values):
        return children
    note(run_id, EventKind.STOP_REQUESTED, by)
    return [*children, run_id]

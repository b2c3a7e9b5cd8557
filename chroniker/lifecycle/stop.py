"""A stop is asked of a run, not of a job."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chroniker.clock.database_clock import FromNow
from chroniker.lifecycle.close import cancel
from chroniker.lifecycle.events import note
from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import OPEN, EventKind, Run


def request_stop(run_id: UUID, by: str) -> bool:
    """Ask an open run to stop; whether it was open. ``by``: who asks, for the record.

    A run that has not started ends at once as STOPPED. A running one learns of it with its next renewal at the
    latest, is given its grace, and is then killed. Asking twice is the same as asking once. A run on every host is
    asked on each of them.
    """
    asked = _request(run_id, by)
    if not asked:
        return Run.objects.filter(pk=run_id, status__in=OPEN).exists()
    cancel(asked)
    return True


@transactional
def _request(run_id: UUID, by: str) -> list[UUID]:
    """The runs that were asked: this one, its children. Children first, in the order in which their ends lock them."""
    unasked = Run.objects.filter(status__in=OPEN, stop_requested_at=None)
    children = list(locked(unasked.filter(parent=run_id), skip=False).values_list("pk", flat=True))
    values: Any = {"stop_requested_at": FromNow(), "stop_requested_by": by[:150]}
    if children:
        unasked.filter(pk__in=children).update(**values)
    if not unasked.filter(pk=run_id).update(**values):
        return children
    note(run_id, EventKind.STOP_ASKED, by)
    return [*children, run_id]

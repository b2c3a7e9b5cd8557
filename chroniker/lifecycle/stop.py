"""A stop is asked of a run, not of a job."""

from __future__ import annotations

from uuid import UUID

from chroniker.clock import FromNow
from chroniker.lifecycle.close import cancel
from chroniker.lifecycle.events import note
from chroniker.lifecycle.transactions import transactional
from chroniker.models import OPEN, EventKind, Run


def request_stop(run_id: UUID, by: str) -> bool:
    """Ask an open run to stop; whether it was open. ``by``: who asks, for the record.

    A run that has not started ends at once as STOPPED. A running one learns of it with its next renewal at the
    latest, is given its grace, and is then killed. Asking twice is the same as asking once.
    """
    if not _request(run_id, by):
        return Run.objects.filter(pk=run_id, status__in=OPEN).exists()
    cancel(run_id)
    return True


@transactional
def _request(run_id: UUID, by: str) -> bool:
    asked = Run.objects.filter(pk=run_id, status__in=OPEN, stop_requested_at=None).update(
        stop_requested_at=FromNow(), stop_requested_by=by[:150]
    )
    if asked:
        note(run_id, EventKind.STOP_ASKED, by)
    return bool(asked)

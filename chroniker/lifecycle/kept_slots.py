"""Keep the lease of a closed run while processes of the run live, so that its job does not run again beside them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chroniker.clock.database_clock import FromNow
from chroniker.conf import settings
from chroniker.lifecycle.events import note
from chroniker.lifecycle.transactions import transactional
from chroniker.models import OPEN, EventKind, Lease
from chroniker.reasons import Code, Reason


def free_slot(run_id: UUID, survivors: Sequence[str]) -> None:
    """Delete the lease of a run that is being closed, or keep it for these processes.

    Its supervisor renews a kept lease, and releases it when they have ended. Without a supervisor it expires.
    """
    lease = Lease.objects.filter(pk=run_id)
    if not survivors:
        lease.delete()
        return
    lease.update(expires_at=FromNow(settings.lease))
    note(run_id, EventKind.NOTE, reason=Reason.of(Code.SLOT_KEPT, names=list(survivors)))


@transactional
def release(run_id: UUID, token: int, nonce: UUID) -> None:
    """Delete the kept lease of a closed run."""
    Lease.objects.filter(pk=run_id, token=token, nonce=nonce).exclude(run__status__in=OPEN).delete()

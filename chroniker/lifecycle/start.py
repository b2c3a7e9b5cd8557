"""CLAIMED → RUNNING, and the renewals that keep it there."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models.functions import Coalesce

from chroniker.clock import FromNow
from chroniker.command import Renewal
from chroniker.conf import settings
from chroniker.lifecycle.events import note
from chroniker.lifecycle.transactions import transactional
from chroniker.models import EventKind, Job, Lease, Run, Status
from chroniker.signals import run_started, send_after_commit


@dataclass(frozen=True, slots=True)
class Started:
    """The run is this caller's. ``stop``: a stop was asked before it started."""

    run: Run
    job: Job
    stop: bool


def start(run_id: UUID, token: int, nonce: UUID, *, host: str, pid: int) -> Started | None:
    """The right to execute this run, or ``None`` with an event that says why not.

    Exactly one nonce ever gets it, and none on another host than the one it is meant for, if any. Asking again with
    the same nonce (the commit's answer was lost) gives the same answer, while the run is running.
    """
    try:
        started = _start(run_id, token, nonce, host, pid)
    except _TooLate:
        started = None
    if started is None:
        _record_refusal(run_id, token, host, pid)
    else:
        run = started.run
        send_after_commit(run_started, Run, run_id=run.pk, job_id=run.job_id, token=run.token, host=host)
    return started


@transactional
def _start(run_id: UUID, token: int, nonce: UUID, host: str, pid: int) -> Started | None:
    Run.objects.filter(pk=run_id, token=token, status=Status.CLAIMED, target__in=["", host]).update(
        status=Status.RUNNING,
        started_at=FromNow(),
        dispatched_at=Coalesce("dispatched_at", FromNow()),  # the worker may be faster than who sent it the message
        nonce=nonce,
        host=host,
        pid=pid,
        redispatch_at=None,
        reason="",
    )
    # Not "if it moved": a repeated start finds its own nonce here, anyone else finds nothing.
    run = Run.objects.filter(pk=run_id, token=token, nonce=nonce, status=Status.RUNNING).select_related("job").first()
    if run is None:
        return None
    held = Lease.objects.filter(pk=run_id, expires_at__gt=FromNow()).update(
        nonce=nonce, expires_at=FromNow(settings.lease)
    )
    if not held:
        raise _TooLate
    return Started(run, run.job, stop=run.stop_requested_at is not None)


class _TooLate(Exception):
    """The start deadline has passed, though no tick has said so yet; rolls the start back."""


def _record_refusal(run_id: UUID, token: int, host: str, pid: int) -> None:
    run = Run.objects.filter(pk=run_id).only("status", "token", "target").first()
    if run is None:
        return  # forged, or its job was deleted: there is no run to write on
    state = str(Status(run.status).label) if run.token == token else f"token {run.token}, not {token}"
    if run.target not in ("", host):
        state += f", and for {run.target} only"
    note(run_id, EventKind.REFUSED_DELIVERY, f"on {host}, process {pid}: the run is {state}")


def renew(run_id: UUID, token: int, nonce: UUID, progress: tuple[int, int] | None = None) -> Renewal:
    """Extend the lease, carry the progress along, and learn whether a stop was asked. Touches Lease only.

    An expired lease is never revived: zero rows means another instance may be running. Where a kernel lock guards
    the run (one host) there is nobody to expire it but ticks that look at that lock, so time alone does not end it.
    """
    lease = Lease.objects.filter(pk=run_id, token=token, nonce=nonce)
    if not settings.check_lock_file:
        lease = lease.filter(expires_at__gt=FromNow())
    values = {} if progress is None else {"total_parts": progress[0], "total_parts_complete": progress[1]}
    if not lease.update(expires_at=FromNow(settings.lease), **values):
        return Renewal(held=False)
    by = Run.objects.filter(pk=run_id, stop_requested_at__isnull=False).values_list("stop_requested_by", flat=True)
    return Renewal(held=True, stop=by.first())

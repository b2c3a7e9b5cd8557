"""After a jump of the database's clock: set the times again that were computed by this clock."""

from __future__ import annotations

import datetime as dt
import logging

from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import Lease, Run, Status

logger = logging.getLogger(__name__)


def reset_deadlines_after_clock_jump() -> None:
    """Bring leases, start deadlines and redispatch times back within their bounds, counted from now.

    A held lease is only shortened, to the length of one lease: no holder can have renewed later than now. A run that
    has not started gets a new start deadline, after a jump in either direction, because no worker may take it while
    starts are suspended. Each host that detects the jump does this in each tick until the suspension ends, and once
    after it: a transaction that was open during the jump may commit after the first time.
    """
    for length in _read_lengths_of_held_leases():
        _shorten_overlong_leases(length)
    claims = Lease.objects.filter(run__status=Status.CLAIMED).order_by()
    for seconds in claims.values_list("job__start_deadline_seconds", flat=True).distinct():
        _reset_start_deadlines(seconds)
    _move_redispatch_times_earlier()


def _read_lengths_of_held_leases() -> list[float]:
    """The lengths of the held leases, by their holders' settings. Logs a warning if one differs from this process's."""
    held = Lease.objects.filter(nonce__isnull=False, seconds__isnull=False).order_by("seconds")
    lengths = list(held.values_list("seconds", flat=True).distinct())
    own = settings.lease.total_seconds()
    if others := [length for length in lengths if length != own]:
        logger.warning("Leases of %s s are held, but CHRONIKER_LOCK_TIMEOUT is %g s in this process.", others, own)
    return [length for length in lengths if length is not None]


@transactional
def _shorten_overlong_leases(seconds: float) -> None:
    """Shorten the leases of this length that end too far in the future by the new time."""
    length = dt.timedelta(seconds=seconds)
    held = Lease.objects.filter(nonce__isnull=False, seconds=seconds)
    beyond = held.filter(expires_at__gt=NowPlus(length + settings.drift_allowance))
    ids = list(lock_rows(beyond, skip=False).values_list("pk", flat=True))
    Lease.objects.filter(pk__in=ids).update(expires_at=NowPlus(length))


@transactional
def _reset_start_deadlines(deadline_seconds: int | None) -> None:
    claims = Run.objects.filter(status=Status.CLAIMED, job__start_deadline_seconds=deadline_seconds)
    leases = Lease.objects.filter(pk__in=list(claims.values_list("pk", flat=True)))
    ids = list(lock_rows(leases, skip=False).values_list("pk", flat=True))
    # A host that has not detected the jump may have started one meanwhile: that lease has a nonce.
    Lease.objects.filter(pk__in=ids, nonce=None).update(
        expires_at=NowPlus(settings.start_deadline_or_default(deadline_seconds))
    )


@transactional
def _move_redispatch_times_earlier() -> None:
    """Bring forward redispatches that are too far in the future by the new time. A second message does no harm."""
    ahead = Run.objects.filter(status=Status.CLAIMED, redispatch_at__gt=NowPlus(settings.redispatch))
    ids = list(lock_rows(ahead, skip=False).values_list("pk", flat=True))
    Run.objects.filter(pk__in=ids, status=Status.CLAIMED).update(redispatch_at=NowPlus(settings.redispatch))

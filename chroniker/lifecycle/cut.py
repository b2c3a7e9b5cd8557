"""After the database's clock went back: what was to be over by now would go on for as long as it went back."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q, QuerySet

from chroniker.clock import FromNow
from chroniker.conf import settings
from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import EVERY_HOST, Lease, Run, Status


def cut() -> None:
    """Bring leases, start deadlines and second messages back to within their bounds, counted from now.

    That is never too short: nobody can have renewed later than now. Runs that are alive renew anyway. Where nothing
    lies beyond its bound nothing is written.
    """
    _cut_leases(Lease.objects.filter(nonce__isnull=False), settings.lease)
    claims = Lease.objects.filter(run__status=Status.CLAIMED)
    for seconds in claims.order_by().values_list("job__start_deadline_seconds", flat=True).distinct():
        deadline = dt.timedelta(seconds=seconds) if seconds else settings.start_deadline
        _cut_leases(claims.filter(job__start_deadline_seconds=seconds), deadline)
    _offer_again()


@transactional
def _cut_leases(leases: QuerySet[Lease], length: dt.timedelta) -> None:
    beyond = leases.filter(expires_at__gt=FromNow(length + settings.drift_allowance))
    ids = list(locked(beyond, skip=False).values_list("pk", flat=True))
    Lease.objects.filter(pk__in=ids).update(expires_at=FromNow(length))


@transactional
def _offer_again() -> None:
    """Claims whose message was sent in what is the future now: a second message does no harm."""
    ahead = Q(claimed_at__gt=FromNow()) | Q(dispatched_at__gt=FromNow())
    claims = Run.objects.filter(ahead, status=Status.CLAIMED).exclude(target=EVERY_HOST)
    ids = list(locked(claims, skip=False).values_list("pk", flat=True))
    Run.objects.filter(pk__in=ids, status=Status.CLAIMED).update(redispatch_at=FromNow(settings.redispatch))

"""What became of a claim's message. Writes no state: a message decides nothing."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from django.db.models import Case, DateTimeField, F, QuerySet, Value, When

from chroniker.clock.database_clock import FromNow
from chroniker.conf import settings
from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import Run, Status
from chroniker.reasons import NO_REASON, Code, Reason

LONGEST_WAIT = dt.timedelta(hours=1)
#: Messages that a claim gets before its start deadline, unless they came closer than ``CHRONIKER_REDISPATCH_SECONDS``:
#: each may meet a worker or a broker that dies.
CHANCES = 10
NO_TAKER_WAIT = dt.timedelta(seconds=5)


@transactional
def record_dispatched(runs: Collection[Run], now: dt.datetime) -> None:
    """These runs, each with its ``job``, were handed to their executor; if they do not start, dispatch them again.

    Each time twice as late, but never later than ``LONGEST_WAIT`` or a tenth of the start deadline.
    """
    waits = defaultdict(list)
    for run in runs:
        waits[_wait(run)].append(run.pk)
    *others, usual = sorted(waits, key=lambda wait: len(waits[wait]))
    again = Case(
        *(When(pk__in=waits[wait], then=Value(now + wait)) for wait in others),
        default=Value(now + usual),
        output_field=DateTimeField(),
    )
    _open_claims([run.pk for run in runs]).update(
        dispatched_at=now, redispatch_at=again, dispatch_count=F("dispatch_count") + 1, **NO_REASON.columns()
    )


def _wait(run: Run) -> dt.timedelta:
    longest = min(settings.start_deadline_of(run.job.start_deadline_seconds) / CHANCES, LONGEST_WAIT)
    return min(settings.redispatch * (1 << min(run.dispatch_count, 16)), max(longest, settings.redispatch))


@transactional
def take_for_dispatch(run_ids: Collection[UUID], now: dt.datetime) -> set[UUID]:
    """Those of these claims whose second message is due and which nobody else sends: they are the caller's to send.

    All ticks find the same claims, and each message more is one that some worker has to refuse. Should the caller die
    before it has sent them, they are found again after ``CHRONIKER_REDISPATCH_SECONDS``.
    """
    waiting = _open_claims(run_ids).filter(redispatch_at__lte=now)
    mine = set(locked(waiting, skip=True).values_list("pk", flat=True))
    _open_claims(mine).update(redispatch_at=now + settings.redispatch)
    return mine


@transactional
def record_not_accepted(run_ids: Collection[UUID], now: dt.datetime, error: str = "") -> None:
    """No executor took these runs (no broker, no room); offer them again soon. The error is shown meanwhile."""
    because = Reason.of(Code.NOT_ACCEPTED, error=error) if error else NO_REASON
    _open_claims(run_ids).update(redispatch_at=now + NO_TAKER_WAIT, **because.columns())


@transactional
def postponed(run_id: UUID, token: int, seconds: float, why: str) -> None:
    """A worker may not start this run before so many seconds are over; its message is used up."""
    later = FromNow(dt.timedelta(seconds=seconds))
    _open_claims([run_id]).filter(token=token).update(redispatch_at=later, **Reason(text=why).columns())


@transactional
def leave_to_host(run_ids: Collection[UUID]) -> None:
    """Only its own host takes each of these, and its ticks look for them; until then the run says so."""
    waiting = _open_claims(run_ids).filter(dispatched_at=None)  # else that host was quicker than this note
    waiting.update(**Reason.of(Code.WAITS_FOR_HOST).columns())


def _open_claims(run_ids: Collection[UUID]) -> QuerySet[Run]:
    return Run.objects.filter(pk__in=run_ids, status=Status.CLAIMED)

"""What became of a claim's message. Writes no state: a message decides nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from uuid import UUID

from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.functions import Replace
from django.utils.translation import gettext as _

from chroniker.clock import FromNow
from chroniker.conf import settings
from chroniker.lifecycle.transactions import transactional
from chroniker.models import Run, Status

LONGEST_WAIT = dt.timedelta(hours=1)
NO_TAKER_WAIT = dt.timedelta(seconds=5)


@transactional
def dispatched(run_ids: Collection[UUID], now: dt.datetime) -> None:
    """These runs were handed to their executor; if they do not start, dispatch them again, each time twice as late."""
    waits = [min(settings.redispatch * 2**n, LONGEST_WAIT) for n in range(16)]
    _open_claims(run_ids).update(
        dispatched_at=now,
        reason="",
        # Before ``dispatches``: MySQL assigns from left to right, and would look at the number already counted up.
        redispatch_at=Case(
            *(When(dispatches=n, then=Value(now + wait)) for n, wait in enumerate(waits)),
            default=Value(now + LONGEST_WAIT),
        ),
        dispatches=F("dispatches") + 1,
    )


@transactional
def not_accepted(run_ids: Collection[UUID], now: dt.datetime, why: str = "") -> None:
    """Nobody took these runs (no broker, no room); offer them again soon. ``why`` is shown meanwhile."""
    _open_claims(run_ids).update(redispatch_at=now + NO_TAKER_WAIT, reason=why)


@transactional
def postponed(run_id: UUID, token: int, seconds: float, why: str) -> None:
    """A worker may not start this run before so many seconds are over; its message is used up."""
    later = FromNow(dt.timedelta(seconds=seconds))
    _open_claims([run_id]).filter(token=token).update(redispatch_at=later, reason=why)


@transactional
def left_to_host(run_ids: Collection[UUID]) -> None:
    """Only its own host takes each of these, and its ticks look for them; until then the run says so."""
    words = Value(_("It waits for the host “{host}” to take it."))
    waiting = _open_claims(run_ids).filter(dispatched_at=None)  # else that host was quicker than this note
    waiting.update(reason=Replace(words, Value("{host}"), F("target")))  # type: ignore[arg-type]  # any expression will do


def _open_claims(run_ids: Collection[UUID]) -> QuerySet[Run]:
    return Run.objects.filter(pk__in=run_ids, status=Status.CLAIMED)

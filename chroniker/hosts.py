"""Hosts: that they are alive, and which claims each of them is to take."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection

from django.db.models import Q, QuerySet

from chroniker.clock import database_now
from chroniker.conf import settings
from chroniker.models import Host, Run, Status

#: How often a process that stays says that its host is alive.
SEEN_SECONDS = 60.0

_LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def see(*, name: str = "") -> None:
    """Say that this host is alive, and how far its clock is from the database's."""
    before = time.time()
    now = database_now()
    skew = (before + time.time()) / 2 - now.timestamp()
    Host.objects.update_or_create(
        name=name or settings.hostname, defaults={"last_seen": now, "clock_skew_seconds": round(skew, 3)}
    )


def claims_for_here(here: Collection[str]) -> QuerySet[Run]:
    """Claims that the dispatching process may have taken by an executor. ``here``: those that execute in it.

    What these are to execute on another host is left to that host's ticks, which alone can have it taken.
    """
    elsewhere = Q(job__executor__in=here) & ~Q(target__in=["", settings.hostname])
    return Run.objects.filter(~elsewhere, status=Status.CLAIMED)


def to_dispatch(now: dt.datetime, here: Collection[str]) -> QuerySet[Run]:
    """Claims whose message seems lost, or that nobody took; the longest waiting first."""
    return claims_for_here(here).filter(redispatch_at__lte=now).select_related("job").order_by("redispatch_at")


def left_for_here(here: Collection[str]) -> QuerySet[Run]:
    """Claims of other hosts' ticks that only this host can take and that it was not offered yet."""
    # Whatever their time of re-dispatch; the condition on it is there for its index, which has open claims only.
    waiting = Run.objects.filter(status=Status.CLAIMED, redispatch_at__gt=_LONG_AGO, dispatched_at=None)
    mine = waiting.filter(target=settings.hostname, job__executor__in=here)
    return mine.select_related("job").order_by("redispatch_at")

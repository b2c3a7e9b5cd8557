"""Whether the guarantee of one instance held, as far as the database shows. Read-only.

It counts refused deliveries, reports without the lease, lost runs and late outcomes. It finds overlaps: two runs of one
job and slot that had both started and not ended at one time. It does not see processes: the command of a lost run may
have continued until its keeper killed it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, DateTimeField, F, Max, Q, QuerySet, RowRange, Value, Window
from django.db.models.functions import Cast, Coalesce

from chroniker.models import EventKind, Lease, Run, RunEvent

#: The events that are counted, in this order.
COUNTED_EVENT_KINDS = (EventKind.REFUSED_DELIVERY, EventKind.LATE_REPORT, EventKind.LATE_OUTCOME, EventKind.LOST)
HOUR, DAY, WEEK = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(days=7)
#: Only this many newest runs are compared, so that the cost does not grow with the history.
MAX_RUNS_COMPARED = 100_000
#: At most this many overlaps are listed; and at most this many older runs that are still open are compared as well.
MAX_OVERLAPS_LISTED, MAX_OPEN_RUNS = 50, 1000


@dataclass(frozen=True, slots=True)
class EventCounts:
    """The number of events of one kind in the last hour, day and week."""

    last_hour: int = 0
    last_day: int = 0
    last_week: int = 0


@dataclass(frozen=True, slots=True)
class OverlappingRun:
    """``run`` started before another run of its job and slot had ended."""

    run: Run
    other_run_end: dt.datetime  #: ``now`` if it is open
    overlaps_now: bool


@dataclass(frozen=True, slots=True)
class OverlapSearchResult:
    found: list[OverlappingRun]  #: at most ``MAX_OVERLAPS_LISTED``, the newest first
    has_more: bool
    since: dt.datetime | None  #: compared: runs claimed after this time, and open runs; ``None``: all runs


def count_events(now: dt.datetime) -> dict[EventKind, EventCounts]:
    """Count the events of the last week. One statement, by the index on (kind, at)."""
    hour, day = (Count("at", filter=Q(at__gt=now - span)) for span in (HOUR, DAY))
    events = RunEvent.objects.filter(kind__in=COUNTED_EVENT_KINDS, at__gt=now - WEEK).order_by().values_list("kind")
    rows = {kind: EventCounts(*numbers) for kind, *numbers in events.annotate(hour=hour, day=day, week=Count("at"))}
    return {kind: rows.get(kind, EventCounts()) for kind in COUNTED_EVENT_KINDS}


def find_overlaps(now: dt.datetime, *, everything: bool = False) -> OverlapSearchResult:
    """The overlaps among the newest ``MAX_RUNS_COMPARED`` runs of the last week and the open runs.

    Three statements, and one more if there is an overlap. ``everything``: among all runs, which sorts them all.
    """
    if everything:
        return _find_overlaps_of_runs(Run.objects.all(), now, None)
    by_age = Run.objects.order_by("-claimed_at").values_list("claimed_at", flat=True)
    since = max([now - WEEK, *by_age[MAX_RUNS_COMPARED : MAX_RUNS_COMPARED + 1]])
    older = list(Lease.objects.filter(run__claimed_at__lte=since).values_list("pk", flat=True)[:MAX_OPEN_RUNS])
    recent = Q(claimed_at__gt=since)
    return _find_overlaps_of_runs(Run.objects.filter(recent | Q(pk__in=older) if older else recent), now, since)


def _find_overlaps_of_runs(runs: QuerySet[Run], now: dt.datetime, since: dt.datetime | None) -> OverlapSearchResult:
    """Find overlaps of half-open intervals: a run overlaps if it starts before the latest end of all earlier runs."""
    # The cast: MariaDB converts a datetime to text if the other argument is text.
    end = Coalesce("finished_at", Cast(Value(now), DateTimeField()))
    earlier = Window(
        Max(end),
        # No index has this order. With (job, …) first, PostgreSQL would use the index and read all runs.
        partition_by=[F("slot"), F("job")],
        order_by=[F("started_at").asc(), F("token").asc()],
        frame=RowRange(None, -1),
    )
    compared = runs.filter(started_at__isnull=False).annotate(end=end, earlier=earlier)
    meeting = compared.filter(earlier__gt=F("started_at"), end__gt=F("started_at"))
    # The sort reads only the columns that are compared; the few overlapping runs are read in a second statement.
    ends = dict(meeting.values_list("pk", "earlier")[: MAX_OVERLAPS_LISTED + 1])
    named = (
        Run.objects.filter(pk__in=ends).select_related("job").order_by("-started_at")[:MAX_OVERLAPS_LISTED]
        if ends
        else ()
    )
    found = [OverlappingRun(run, ends[run.pk], run.finished_at is None and ends[run.pk] >= now) for run in named]
    return OverlapSearchResult(found, len(ends) > MAX_OVERLAPS_LISTED, since)

"""Whether the guarantees held in the last 24 hours, 7 and 30 days, and the start delays. Read-only.

No statement reads runs. The numbers come from the counts of runs, from events, and from regular tests.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Max, Min, Q, Sum
from django.utils import timezone

from chroniker import reasons
from chroniker.insights.day_counts import START_DELAY_COLUMNS, count_bad_ends, percentile_of_buckets
from chroniker.models import EventKind, Guarantee, GuaranteeHour, Outbox, RunEvent, RunHour, RunTotal

DAY = dt.timedelta(days=1)
MEASUREMENT_SPANS = (DAY, 7 * DAY, 30 * DAY)
#: A guarantee counts as measured now if a test ran in this hour or the one before.
MAX_AGE_OF_LAST_TEST = dt.timedelta(hours=2)
#: A message that is not sent so long after the end of its run is late.
LATE_MESSAGE_AGE = dt.timedelta(minutes=10)
MAX_LATE_MESSAGES, MAX_EVENTS_LISTED, MAX_SLOW_JOBS = 1000, 10, 3
LATE_REPORT_KINDS = (EventKind.LATE_REPORT, EventKind.LATE_OUTCOME)
LISTED_EVENT_KINDS = (*LATE_REPORT_KINDS, EventKind.OVERLAP, EventKind.LOST, EventKind.REFUSED_DELIVERY)
MISSING_OUTPUT_CODES = (reasons.Code.OUTPUT_LOST, reasons.Code.OUTPUT_MISSING, reasons.Code.OUTPUT_UNSTORED)
#: The newest hourly counts with late starts. The jobs with the most late starts are searched among these.
MAX_HOURS_SEARCHED = 10_000


@dataclass(frozen=True, slots=True)
class GuaranteeMeasurement:
    """``counts``: violations or events in 24 hours, 7 and 30 days; ``None``: not measured in that span."""

    counts: tuple[int | None, int | None, int | None]
    since: dt.datetime | None = None  #: when the first test of the 30 days ran
    is_fresh: bool = True  #: tests run regularly now

    @property
    def highest_count(self) -> int:
        return max((count for count in self.counts if count is not None), default=0)


@dataclass(frozen=True, slots=True)
class LateMessageSummary:
    """Messages that should have been sent, the oldest first; at most ``MAX_LATE_MESSAGES``."""

    count: int = 0
    since: dt.datetime | None = None
    error: str = ""
    attempts: int = 0
    next_attempt: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class StartDelays:
    """Start delays of the last 24 hours. ``buckets``: as in ``RunHour``."""

    buckets: list[int] = field(default_factory=list)

    def percentile(self, share: float) -> float | None:
        return percentile_of_buckets(self.buckets, share)


@dataclass(frozen=True, slots=True)
class DayRunCounts:
    day: dt.date
    runs: int
    bad: int


def fetch_guarantee_test_results(now: dt.datetime) -> dict[Guarantee, GuaranteeMeasurement]:
    """What the regular tests found. One statement."""
    rows = GuaranteeHour.objects.filter(hour__gt=now - MEASUREMENT_SPANS[-1]).order_by().values("guarantee")
    sums = {
        f"{name}_{n}": Sum(name, filter=Q(hour__gt=now - span))
        for n, span in enumerate(MEASUREMENT_SPANS)
        for name in ("tests", "violations")
    }
    found = {row["guarantee"]: row for row in rows.annotate(**sums, first=Min("hour"), last=Max("hour"))}
    return {each: _make_measurement_from_tests(found.get(each.value), now) for each in Guarantee}


def _make_measurement_from_tests(row: Mapping[str, Any] | None, now: dt.datetime) -> GuaranteeMeasurement:
    if row is None:
        return GuaranteeMeasurement((None, None, None), None, False)
    counts = [row[f"violations_{n}"] if row[f"tests_{n}"] else None for n in range(len(MEASUREMENT_SPANS))]
    return GuaranteeMeasurement(
        (counts[0], counts[1], counts[2]), row["first"], row["last"] > now - MAX_AGE_OF_LAST_TEST
    )


def fetch_event_measurements(now: dt.datetime) -> dict[str, GuaranteeMeasurement]:
    """By name: late reports, refused deliveries, and runs with missing output. One statement, by (kind, at)."""
    kinds = Q(kind__in=(*LATE_REPORT_KINDS, EventKind.REFUSED_DELIVERY)) | Q(
        kind=EventKind.NOTE, code__in=MISSING_OUTPUT_CODES
    )
    rows = RunEvent.objects.filter(kinds, at__gt=now - MEASUREMENT_SPANS[-1]).order_by().values_list("kind")
    counts = [Count("pk", filter=Q(at__gt=now - span)) for span in MEASUREMENT_SPANS]
    found = {kind: numbers for kind, *numbers in rows.annotate(a=counts[0], b=counts[1], c=counts[2])}
    return {
        "late_reports": _sum_measurements(found.get(kind) for kind in LATE_REPORT_KINDS),
        "deliveries": _sum_measurements([found.get(EventKind.REFUSED_DELIVERY)]),
        "output": _sum_measurements([found.get(EventKind.NOTE)]),
    }


def _sum_measurements(rows: Iterable[list[int] | None]) -> GuaranteeMeasurement:
    known = [row for row in rows if row]
    first, second, third = (sum(row[n] for row in known) for n in range(len(MEASUREMENT_SPANS)))
    return GuaranteeMeasurement((first, second, third))


def fetch_late_messages(now: dt.datetime) -> tuple[LateMessageSummary, GuaranteeMeasurement]:
    """Messages that are not sent, or were given up. One statement."""
    late = Outbox.objects.filter(sent_at=None, run__finished_at__lt=now - LATE_MESSAGE_AGE).order_by("run__finished_at")
    rows = list(late.values_list("run__finished_at", "error", "attempts", "send_at")[:MAX_LATE_MESSAGES])
    first, second, third = (
        sum(row[0] is not None and row[0] > now - span for row in rows) for span in MEASUREMENT_SPANS
    )
    if not rows:
        return LateMessageSummary(), GuaranteeMeasurement((0, 0, 0))
    worst = next((row for row in rows if row[1]), rows[0])
    return LateMessageSummary(len(rows), *worst), GuaranteeMeasurement((first, second, third))


def fetch_latest_events(now: dt.datetime) -> list[RunEvent]:
    """The newest events that concern the guarantees, with their runs and jobs. One statement."""
    listed = Q(kind__in=LISTED_EVENT_KINDS) | Q(kind=EventKind.NOTE, code__in=MISSING_OUTPUT_CODES)
    events = RunEvent.objects.filter(listed, at__gt=now - MEASUREMENT_SPANS[-1])
    return list(events.select_related("run__job").order_by("-at", "-pk")[:MAX_EVENTS_LISTED])


def fetch_start_delays_and_day_counts(now: dt.datetime) -> tuple[StartDelays, list[DayRunCounts]]:
    """The start delays of 24 hours, and the failed runs of each of the last 30 local days. One statement."""
    days = [timezone.localdate(now) - n * DAY for n in reversed(range(30))]
    since = timezone.make_aware(dt.datetime.combine(days[0], dt.time.min))
    buckets, ends = [0] * len(START_DELAY_COLUMNS), {day: [0, 0] for day in days}
    for row in RunTotal.objects.filter(start__gte=since):
        day = ends.setdefault(timezone.localdate(row.start), [0, 0])
        day[0] += row.succeeded + count_bad_ends(row) + row.stopped
        day[1] += count_bad_ends(row)
        if row.start > now - DAY:
            buckets = [total + getattr(row, name) for total, name in zip(buckets, START_DELAY_COLUMNS, strict=True)]
    return StartDelays(buckets), [DayRunCounts(day, *ends[day]) for day in days]


def find_jobs_with_most_late_starts(now: dt.datetime) -> list[tuple[int, str]]:
    """Jobs with the most runs that started more than 30 seconds late, as (id, name). One statement, of at most
    ``MAX_HOURS_SEARCHED`` rows."""
    late = RunHour.objects.filter(late_hour__gt=now - DAY, job__name__isnull=False).order_by("-late_hour")
    worst: dict[tuple[int, str], tuple[int, int]] = {}
    for pk, name, above, below in late.values_list("job", "job__name", "delay_6", "delay_5")[:MAX_HOURS_SEARCHED]:
        known = worst.get((pk, name), (0, 0))
        worst[pk, name] = known[0] + above, known[1] + below
    return sorted(worst, key=lambda job: (*(-number for number in worst[job]), job[1]))[:MAX_SLOW_JOBS]

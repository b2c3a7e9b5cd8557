"""The times at which a job starts by its schedule, and how they change with an edit. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import groupby, islice, pairwise, takewhile

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from chroniker.schedule import ClosedTime, ScheduleSpec, closed_time_at, next_instant_after

DAY = dt.timedelta(days=1)
#: The rate of a schedule is counted in this time, or in the time of this many instants if that is shorter.
RATE_TIME_SPAN, MAX_RATE_INSTANTS = 28 * DAY, 1000


@dataclass(frozen=True, slots=True)
class Timetable:
    """A schedule with its blackouts and its jitter. A job that is disabled has no times."""

    spec: ScheduleSpec
    closed: tuple[ClosedTime, ...] = ()
    jitter: dt.timedelta = dt.timedelta()
    enabled: bool = True

    def instants(self, after: dt.datetime) -> Iterator[dt.datetime]:
        """All instants later than ``after``, in blackouts too. Raises ``ScheduleError`` for an invalid schedule."""
        instant = next_instant_after(self.spec, after) if self.enabled else None
        while instant is not None:
            yield instant
            instant = next_instant_after(self.spec, instant)

    def blackout_name(self, instant: dt.datetime) -> str:
        """The name of the blackout that contains ``instant``, or an empty text."""
        within = closed_time_at(self.closed, instant, self.spec.timezone) if self.closed else None
        return within.name if within else ""

    def starts(self, after: dt.datetime, until: dt.datetime, limit: int) -> list[dt.datetime]:
        """At most ``limit`` times after ``after`` and up to ``until`` at which a run starts, jitter included."""
        times = takewhile(lambda instant: instant + self.jitter <= until, self.instants(after - self.jitter))
        return [instant + self.jitter for instant in islice(times, limit) if not self.blackout_name(instant)]

    def runs_per_day(self, now: dt.datetime) -> float:
        """The average number of starts in a day from now on."""
        times = list(
            islice(takewhile(lambda instant: instant <= now + RATE_TIME_SPAN, self.instants(now)), MAX_RATE_INSTANTS)
        )
        begin, span = now, RATE_TIME_SPAN
        if len(times) == MAX_RATE_INSTANTS:
            begin, span = _choose_rate_span(now, times)
        counted = (instant for instant in times if begin < instant <= begin + span)
        return sum(not self.blackout_name(instant) for instant in counted) * (DAY / span)


def _choose_rate_span(now: dt.datetime, times: list[dt.datetime]) -> tuple[dt.datetime, dt.timedelta]:
    """The begin and length of the span to count: whole weeks or days if the times fill them, else all of the times."""
    full = times[-1] - now
    for unit in (7 * DAY, DAY):
        if full >= unit:
            return now, full // unit * unit
    return times[0], times[-1] - times[0]


class ScheduledTimeChange(TextChoices):
    """The effect of an edit on one scheduled time."""

    UNCHANGED = "UNCHANGED", _("unchanged")
    ADDED = "ADDED", _("added")
    DROPPED = "DROPPED", _("dropped")


@dataclass(frozen=True, slots=True)
class ComparedTime:
    """One scheduled time before and after an edit. A blackout counts as no run."""

    instant: dt.datetime
    runs_before: bool
    runs_after: bool
    blackout: str = ""  #: the name of the blackout in which it does not run

    @property
    def change(self) -> ScheduledTimeChange:
        if self.runs_before == self.runs_after:
            return ScheduledTimeChange.UNCHANGED
        return ScheduledTimeChange.ADDED if self.runs_after else ScheduledTimeChange.DROPPED


def compare_scheduled_times(old: Timetable | None, new: Timetable, now: dt.datetime, limit: int) -> list[ComparedTime]:
    """The next ``limit`` scheduled times of both timetables, merged. ``old``: None for a new job."""
    tables = [(table, table is new) for table in (old, new) if table is not None]
    merged = merge(*(_instants_marked_old_or_new(table, now, is_after) for table, is_after in tables))
    found = []
    for instant, marks in islice(groupby(merged, key=lambda pair: pair[0]), limit):
        sides = {is_after for _instant, is_after in marks}
        names = {is_after: table.blackout_name(instant) for table, is_after in tables if is_after in sides}
        runs = {is_after for is_after, name in names.items() if not name}
        blackout = names.get(True, "") if True in names else names.get(False, "")
        found.append(ComparedTime(instant, False in runs, True in runs, blackout))
    return found


def _instants_marked_old_or_new(
    timetable: Timetable, now: dt.datetime, is_new: bool
) -> Iterator[tuple[dt.datetime, bool]]:
    return ((instant, is_new) for instant in timetable.instants(now))


def find_times_without_new_result(
    changed: Timetable, dependant: Timetable, now: dt.datetime, limit: int
) -> tuple[list[dt.datetime], int]:
    """The next scheduled times of ``dependant`` for which ``changed`` has no run since the one before, so that the
    dependant uses an older result; and the number of times examined, at most ``limit``."""
    times = list(islice((each for each in dependant.instants(now) if not dependant.blackout_name(each)), limit + 1))
    stale = []
    for previous, instant in pairwise(times):
        between = takewhile(lambda each, end=instant: each <= end, changed.instants(previous))  # type: ignore[misc]
        if not any(not changed.blackout_name(each) for each in between):
            stale.append(instant)
    return stale, max(len(times) - 1, 0)

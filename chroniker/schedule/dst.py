"""Converts wall-clock times of a rule to UTC. The only module that handles changes of the UTC offset.

Rules compute in wall-clock time, where every day has 24 hours. Each period of constant UTC offset has a window of
wall-clock time, and takes the times of the rule in this window. A policy moves the ends of the windows:

* fold FIRST: the period after the change begins at the end of the repeated hour;
* fold SECOND: the period before the change ends at the beginning of the repeated hour;
* fold BOTH: both periods keep their times;
* gap RUN: the skipped times become one instant, the first moment after the change;
* gap SKIP: the skipped times are dropped.

A rule that fires by interval follows real time: it fires whenever the clock shows its time (SKIP and BOTH). Debian's
cron does this for jobs with a wildcard in the hour or minute field; for other jobs it uses RUN and FIRST. Daylight
saving time, permanent changes of a zone's offset and skipped days are handled in the same way. Debian's cron does not
compensate for changes of more than three hours; this module does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from chroniker.schedule.spec import DstFold, DstGap
from chroniker.schedule.zones import OffsetPeriod, offset_periods

#: Limits of all instants. Earlier offsets are local mean times with odd seconds; later dates overflow.
INSTANT_RANGE_START = dt.datetime(1970, 1, 1)
INSTANT_RANGE_END = dt.datetime(9000, 1, 1)

MICROSECOND = dt.timedelta.resolution
#: Longer than any known fold.
MAX_FOLD_DURATION = dt.timedelta(days=2)


class WallRule(Protocol):
    """A rule in wall-clock time, without gaps and folds."""

    @property
    def by_interval(self) -> bool: ...

    def first_at_or_after(self, wall_time: dt.datetime) -> dt.datetime | None: ...

    def last_before(self, wall_time: dt.datetime) -> dt.datetime | None: ...


class ClockChangePolicy(NamedTuple):
    gap: str
    fold: str


REAL_TIME_POLICY = ClockChangePolicy(DstGap.SKIP, DstFold.BOTH)


class WallTimeWindow(NamedTuple):
    """Wall-clock times from ``wall_start`` to ``wall_end`` (excluded), which are instants from ``start`` to ``end``."""

    start: dt.datetime
    end: dt.datetime
    offset: dt.timedelta
    wall_start: dt.datetime
    wall_end: dt.datetime
    skipped_wall_times: tuple[dt.datetime, dt.datetime] | None
    "The skipped wall-clock times just before, if the policy runs them at ``start``."


@lru_cache(maxsize=8192)
def wall_clock_windows(zone: ZoneInfo, policy: ClockChangePolicy, year: int) -> tuple[WallTimeWindow, ...]:
    return tuple(_make_window(period, policy) for period in offset_periods(zone, year))


def _make_window(period: OffsetPeriod, policy: ClockChangePolicy) -> WallTimeWindow:
    start, end, offset, before, after = period
    wall_start, wall_end = start + offset, end + offset
    if policy.fold == DstFold.FIRST:
        wall_start = max(wall_start, start + before)
    if policy.fold == DstFold.SECOND:
        wall_end = min(wall_end, end + after)
    skipped = (start + before, start + offset) if before < offset and policy.gap == DstGap.RUN else None
    return WallTimeWindow(start, end, offset, wall_start, wall_end, skipped)


def first_instant_after(
    rule: WallRule, zone: ZoneInfo, policy: ClockChangePolicy, moment: dt.datetime
) -> dt.datetime | None:
    """The first instant later than ``moment``; both are UTC without tzinfo."""
    search = _ForwardSearch(rule)
    for window in _windows_from(zone, policy, moment):
        if window.skipped_wall_times and window.start > moment and search.has_time_in(*window.skipped_wall_times):
            return window.start
        wall_start = max(window.wall_start, moment + MICROSECOND + window.offset)
        wall_time = search.find_first_time_from(wall_start)
        if wall_time is not None and wall_time < window.wall_end:
            return wall_time - window.offset
        if wall_time is None and window.wall_end - wall_start > MAX_FOLD_DURATION:
            return None
    return None


def last_instant_until(
    rule: WallRule, zone: ZoneInfo, policy: ClockChangePolicy, moment: dt.datetime
) -> dt.datetime | None:
    """The last instant that is not later than ``moment``; both are UTC without tzinfo."""
    search = _BackwardSearch(rule)
    for window in _windows_back_from(zone, policy, moment):
        wall_end = min(window.wall_end, moment + MICROSECOND + window.offset)
        wall_time = search.find_last_time_before(wall_end)
        if wall_time is not None and wall_time >= window.wall_start:
            return wall_time - window.offset
        if window.skipped_wall_times and search.has_time_in(*window.skipped_wall_times):
            return window.start
        if wall_time is None and wall_end - window.wall_start > MAX_FOLD_DURATION:
            return None
    return None


def _windows_from(zone: ZoneInfo, policy: ClockChangePolicy, moment: dt.datetime) -> Iterator[WallTimeWindow]:
    for year in range(moment.year, INSTANT_RANGE_END.year):
        yield from (window for window in wall_clock_windows(zone, policy, year) if window.end > moment)


def _windows_back_from(zone: ZoneInfo, policy: ClockChangePolicy, moment: dt.datetime) -> Iterator[WallTimeWindow]:
    for year in count(moment.year, -1):
        # One year earlier, because the local year may begin before the UTC year.
        if year < INSTANT_RANGE_START.year - 1:
            return
        yield from (window for window in reversed(wall_clock_windows(zone, policy, year)) if window.start <= moment)


class _ForwardSearch:
    """Searches a rule forward. Repeats the search only if the last result does not answer the new search.

    So a rule that fires rarely is searched once, not once for each window.
    """

    def __init__(self, rule: WallRule) -> None:
        self.rule = rule
        self.start: dt.datetime | None = None
        self.found: dt.datetime | None = None

    def find_first_time_from(self, low: dt.datetime) -> dt.datetime | None:
        known = self.start is not None and self.start <= low and (self.found is None or low <= self.found)
        if not known:
            self.start, self.found = low, self.rule.first_at_or_after(low)
        return self.found

    def has_time_in(self, low: dt.datetime, high: dt.datetime) -> bool:
        wall_time = self.find_first_time_from(low)
        return wall_time is not None and wall_time < high


class _BackwardSearch:
    """The same as ``_ForwardSearch``, backward."""

    def __init__(self, rule: WallRule) -> None:
        self.rule = rule
        self.start: dt.datetime | None = None
        self.found: dt.datetime | None = None

    def find_last_time_before(self, high: dt.datetime) -> dt.datetime | None:
        known = self.start is not None and high <= self.start and (self.found is None or self.found < high)
        if not known:
            self.start, self.found = high, self.rule.last_before(high)
        return self.found

    def has_time_in(self, low: dt.datetime, high: dt.datetime) -> bool:
        wall_time = self.find_last_time_before(high)
        return wall_time is not None and wall_time >= low

"""Converts wall-clock times of a rule to UTC. The only module that handles changes of the UTC offset.

Rules compute in wall-clock time, where every day has 24 hours. Each stretch of constant offset takes the rule's times
in its own window of wall-clock time. A policy moves the edges of the windows:

* fold FIRST: the stretch after the change begins at the end of the repeated hour;
* fold SECOND: the stretch before the change ends at the beginning of the repeated hour;
* fold BOTH: both stretches keep their times;
* gap RUN: the skipped times become one instant, the first moment after the change;
* gap SKIP: the skipped times are dropped.

A rule that fires by interval follows real time: it fires whenever the clock shows its time (SKIP and BOTH). Debian's
cron does this for jobs with a wildcard in the hour or minute field; for other jobs it uses RUN and FIRST. Daylight
saving time, permanent changes of a zone's offset and skipped days are all handled alike. Debian's cron does not
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
from chroniker.schedule.zones import Stretch, stretches

#: Limits of all instants. Earlier offsets are local mean times with odd seconds; later dates overflow.
BEGINNING = dt.datetime(1970, 1, 1)
END = dt.datetime(9000, 1, 1)

TICK = dt.timedelta.resolution
#: Longer than any known fold.
LONGEST_FOLD = dt.timedelta(days=2)


class WallRule(Protocol):
    """A rule in wall-clock time, without gaps and folds."""

    @property
    def by_interval(self) -> bool: ...

    def first_at_or_after(self, wall: dt.datetime) -> dt.datetime | None: ...

    def last_before(self, wall: dt.datetime) -> dt.datetime | None: ...


class Policy(NamedTuple):
    gap: str
    fold: str


REAL_TIME = Policy(DstGap.SKIP, DstFold.BOTH)


class Window(NamedTuple):
    """The wall-clock times from ``low`` to ``high`` (excluded) that become instants between ``start`` and ``end``."""

    start: dt.datetime
    end: dt.datetime
    offset: dt.timedelta
    low: dt.datetime
    high: dt.datetime
    gap: tuple[dt.datetime, dt.datetime] | None
    "The skipped wall-clock times just before, if the policy runs them at ``start``."


@lru_cache(maxsize=8192)
def wall_clock_windows(zone: ZoneInfo, policy: Policy, year: int) -> tuple[Window, ...]:
    return tuple(_window(stretch, policy) for stretch in stretches(zone, year))


def _window(stretch: Stretch, policy: Policy) -> Window:
    start, end, offset, before, after = stretch
    low, high = start + offset, end + offset
    if policy.fold == DstFold.FIRST:
        low = max(low, start + before)
    if policy.fold == DstFold.SECOND:
        high = min(high, end + after)
    gap = (start + before, start + offset) if before < offset and policy.gap == DstGap.RUN else None
    return Window(start, end, offset, low, high, gap)


def first_after(rule: WallRule, zone: ZoneInfo, policy: Policy, moment: dt.datetime) -> dt.datetime | None:
    """The first instant later than ``moment``; both are UTC without tzinfo."""
    search = _ForwardSearch(rule)
    for window in _windows_from(zone, policy, moment):
        if window.gap and window.start > moment and search.has_time_in(*window.gap):
            return window.start
        low = max(window.low, moment + TICK + window.offset)
        wall = search.first(low)
        if wall is not None and wall < window.high:
            return wall - window.offset
        if wall is None and window.high - low > LONGEST_FOLD:
            return None
    return None


def last_until(rule: WallRule, zone: ZoneInfo, policy: Policy, moment: dt.datetime) -> dt.datetime | None:
    """The last instant that is not later than ``moment``; both are UTC without tzinfo."""
    search = _BackwardSearch(rule)
    for window in _windows_back_from(zone, policy, moment):
        high = min(window.high, moment + TICK + window.offset)
        wall = search.last(high)
        if wall is not None and wall >= window.low:
            return wall - window.offset
        if window.gap and search.has_time_in(*window.gap):
            return window.start
        if wall is None and high - window.low > LONGEST_FOLD:
            return None
    return None


def _windows_from(zone: ZoneInfo, policy: Policy, moment: dt.datetime) -> Iterator[Window]:
    for year in range(moment.year, END.year):
        yield from (window for window in wall_clock_windows(zone, policy, year) if window.end > moment)


def _windows_back_from(zone: ZoneInfo, policy: Policy, moment: dt.datetime) -> Iterator[Window]:
    for year in count(moment.year, -1):
        if year < BEGINNING.year - 1:  # one year earlier, because the local year may begin before the UTC year
            return
        yield from (window for window in reversed(wall_clock_windows(zone, policy, year)) if window.start <= moment)


class _ForwardSearch:
    """Searches a rule forward, and repeats the search only if the last result does not answer the new one.

    So a rule that fires rarely is searched once, not once for each window in between.
    """

    def __init__(self, rule: WallRule) -> None:
        self.rule = rule
        self.start: dt.datetime | None = None
        self.found: dt.datetime | None = None

    def first(self, low: dt.datetime) -> dt.datetime | None:
        known = self.start is not None and self.start <= low and (self.found is None or low <= self.found)
        if not known:
            self.start, self.found = low, self.rule.first_at_or_after(low)
        return self.found

    def has_time_in(self, low: dt.datetime, high: dt.datetime) -> bool:
        wall = self.first(low)
        return wall is not None and wall < high


class _BackwardSearch:
    """The same as ``_ForwardSearch``, backward."""

    def __init__(self, rule: WallRule) -> None:
        self.rule = rule
        self.start: dt.datetime | None = None
        self.found: dt.datetime | None = None

    def last(self, high: dt.datetime) -> dt.datetime | None:
        known = self.start is not None and high <= self.start and (self.found is None or self.found < high)
        if not known:
            self.start, self.found = high, self.rule.last_before(high)
        return self.found

    def has_time_in(self, low: dt.datetime, high: dt.datetime) -> bool:
        wall = self.last(high)
        return wall is not None and wall >= low

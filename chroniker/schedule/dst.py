"""From what the clock on the wall shows to moments of UTC: the one place that knows about clock changes.

A rule is asked in wall-clock time only, where every day has 24 hours. Each stretch of constant offset takes the rule's
times in the window of wall-clock time that belongs to it; a policy moves the edges of those windows:

* fold FIRST: the stretch after the change begins where the repeated hour ends;
* fold SECOND: the stretch before it ends where the repeated hour begins;
* fold BOTH: each keeps its own;
* gap RUN: what the clock leaves out becomes one instant, the first moment after the change; gap SKIP: it is dropped.

A rule that fires by interval follows real time: it takes what the clock shows, when it shows it (SKIP and BOTH). These
are the rules of Debian's cron for jobs with a wildcard in the hour or minute field; RUN and FIRST are its rules for the
others. It makes no difference whether a change is daylight saving, a zone that moves for good, or a day left out;
Debian's cron stops compensating where a change exceeds three hours, here a nightly job runs after that one too.
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

#: Timelines lie between these two. The first keeps local mean times with odd seconds out, the second overflows.
BEGINNING = dt.datetime(1970, 1, 1)
END = dt.datetime(9000, 1, 1)

TICK = dt.timedelta.resolution
#: More than any clock was ever set back.
LONGEST_FOLD = dt.timedelta(days=2)


class WallRule(Protocol):
    """Times of the clock on the wall, without gaps and folds."""

    @property
    def by_interval(self) -> bool: ...

    def at_or_after(self, wall: dt.datetime) -> dt.datetime | None: ...

    def before(self, wall: dt.datetime) -> dt.datetime | None: ...


class Policy(NamedTuple):
    gap: str
    fold: str


REAL_TIME = Policy(DstGap.SKIP, DstFold.BOTH)


class Window(NamedTuple):
    """The wall-clock times from ``low`` up to ``high`` that are taken while UTC goes from ``start`` to ``end``."""

    start: dt.datetime
    end: dt.datetime
    offset: dt.timedelta
    low: dt.datetime
    high: dt.datetime
    gap: tuple[dt.datetime, dt.datetime] | None
    "What the clock left out just before, where the policy is to run it at ``start``."


@lru_cache(maxsize=8192)
def windows(zone: ZoneInfo, policy: Policy, year: int) -> tuple[Window, ...]:
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


def after(rule: WallRule, zone: ZoneInfo, policy: Policy, moment: dt.datetime) -> dt.datetime | None:
    """The first instant later than ``moment``; both are UTC without tzinfo."""
    ahead = _Ahead(rule)
    for window in _windows_from(zone, policy, moment):
        if window.gap and window.start > moment and ahead.hits(*window.gap):
            return window.start
        low = max(window.low, moment + TICK + window.offset)
        wall = ahead.first(low)
        if wall is not None and wall < window.high:
            return wall - window.offset
        if wall is None and window.high - low > LONGEST_FOLD:
            return None
    return None


def until(rule: WallRule, zone: ZoneInfo, policy: Policy, moment: dt.datetime) -> dt.datetime | None:
    """The last instant that is not later than ``moment``; both are UTC without tzinfo."""
    behind = _Behind(rule)
    for window in _windows_back_from(zone, policy, moment):
        high = min(window.high, moment + TICK + window.offset)
        wall = behind.last(high)
        if wall is not None and wall >= window.low:
            return wall - window.offset
        if window.gap and behind.hits(*window.gap):
            return window.start
        if wall is None and high - window.low > LONGEST_FOLD:
            return None
    return None


def _windows_from(zone: ZoneInfo, policy: Policy, moment: dt.datetime) -> Iterator[Window]:
    for year in range(moment.year, END.year):
        yield from (window for window in windows(zone, policy, year) if window.end > moment)


def _windows_back_from(zone: ZoneInfo, policy: Policy, moment: dt.datetime) -> Iterator[Window]:
    for year in count(moment.year, -1):
        if year < BEGINNING.year - 1:  # one more than needed: the zone's local year may have begun earlier
            return
        yield from (window for window in reversed(windows(zone, policy, year)) if window.start <= moment)


class _Ahead:
    """Asks a rule for its next time, and again only where the last answer does not hold.

    A sparse rule is then computed once, however many windows lie in between.
    """

    def __init__(self, rule: WallRule) -> None:
        self.rule = rule
        self.asked: dt.datetime | None = None
        self.answer: dt.datetime | None = None

    def first(self, low: dt.datetime) -> dt.datetime | None:
        known = self.asked is not None and self.asked <= low and (self.answer is None or low <= self.answer)
        if not known:
            self.asked, self.answer = low, self.rule.at_or_after(low)
        return self.answer

    def hits(self, low: dt.datetime, high: dt.datetime) -> bool:
        wall = self.first(low)
        return wall is not None and wall < high


class _Behind:
    """The same, backwards."""

    def __init__(self, rule: WallRule) -> None:
        self.rule = rule
        self.asked: dt.datetime | None = None
        self.answer: dt.datetime | None = None

    def last(self, high: dt.datetime) -> dt.datetime | None:
        known = self.asked is not None and high <= self.asked and (self.answer is None or self.answer < high)
        if not known:
            self.asked, self.answer = high, self.rule.before(high)
        return self.answer

    def hits(self, low: dt.datetime, high: dt.datetime) -> bool:
        wall = self.last(high)
        return wall is not None and wall >= low

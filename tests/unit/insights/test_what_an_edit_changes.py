"""The forecast of an edit, compared with a timeline that is computed second by second or minute by minute."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from chroniker.insights.crowding import ExpectedRun, find_collisions
from chroniker.insights.self_overlap import OverlapForecast, forecast_overlaps
from chroniker.insights.timetable import (
    ScheduledTimeChange,
    Timetable,
    compare_scheduled_times,
    find_times_without_new_result,
)
from chroniker.lifecycle import Plan, claim_plan
from chroniker.models import CatchUp, Job, JobState, Overlap, Status
from chroniker.schedule import ClosedTime, ScheduleSpec, next_instant_after
from tests.unit.schedule.samples import CHANGES, cron, utc

MINUTE, SECOND = dt.timedelta(minutes=1), dt.timedelta(seconds=1)
EXPRESSIONS = ("* * * * *", "*/7 * * * *", "*/10 1-5 * * *", "5,35 * * * *", "0 * * * *", "30 2 * * *", "0 3 * * sun")
MOST = 10


@st.composite
def timetables(draw: st.DrawFn, zone: str) -> Timetable:
    spec = cron(draw(st.sampled_from(EXPRESSIONS)), zone, dst_fold=draw(st.sampled_from(["FIRST", "BOTH"])))
    closed = (ClosedTime("nightly", utc(2020, 1, 1, 3), utc(2020, 1, 1, 4, 30), "WEEKLY"),)
    return Timetable(spec, draw(st.sampled_from([(), closed])), enabled=draw(st.sampled_from([True, True, False])))


@st.composite
def edits(draw: st.DrawFn) -> tuple[Timetable, Timetable, dt.datetime]:
    """Two timetables, and a time within half a day of a clock change of their zone."""
    zone, change = draw(st.sampled_from(CHANGES))
    moment = change.replace(tzinfo=dt.UTC) + draw(st.integers(-300, 900)) * MINUTE
    return draw(timetables(zone)), draw(timetables(zone)), moment


def minutes(table: Timetable, moment: dt.datetime, hours: int) -> set[dt.datetime]:
    """Every minute that is an instant: each is examined on its own."""
    first = moment.replace(second=0, microsecond=0)
    each = (first + n * MINUTE for n in range(1, hours * 60))
    return {minute for minute in each if table.enabled and next_instant_after(table.spec, minute - SECOND) == minute}


@settings(max_examples=30, deadline=None)
@given(edits())
def test_the_merged_times_are_those_of_a_walk_over_each_minute(edit: tuple[Timetable, Timetable, dt.datetime]) -> None:
    before, after, moment = edit
    rows = compare_scheduled_times(before, after, moment, MOST)
    old, new = (minutes(table, moment, 30) for table in (before, after))
    known = sorted(old | new)[:MOST]
    shown = [row.instant for row in rows]
    assert shown[: len(known)] == known
    for row in rows[: len(known)]:
        runs_before = row.instant in old and not before.blackout_name(row.instant)
        runs_after = row.instant in new and not after.blackout_name(row.instant)
        assert (row.runs_before, row.runs_after) == (runs_before, runs_after)
        assert (row.change == ScheduledTimeChange.ADDED) == (runs_after and not runs_before)
        assert (row.change == ScheduledTimeChange.DROPPED) == (runs_before and not runs_after)


@settings(max_examples=30, deadline=None)
@given(edits())
def test_the_stale_times_of_a_dependant_have_no_run_of_the_job_since_the_one_before(
    edit: tuple[Timetable, Timetable, dt.datetime],
) -> None:
    changed, dependant, moment = edit
    stale, examined = find_times_without_new_result(changed, dependant, moment, MOST)
    own = sorted(each for each in minutes(dependant, moment, 30) if not dependant.blackout_name(each))[: MOST + 1]
    others = {each for each in minutes(changed, moment, 30) if not changed.blackout_name(each)}
    expected = [
        instant
        for previous, instant in itertools.pairwise(own)
        if not any(previous < each <= instant for each in others)
    ]
    assert stale[: len(expected)] == expected
    assert examined >= len(own) - 1


def test_a_run_at_the_same_time_is_not_stale() -> None:
    daily, nightly = Timetable(cron("0 3 * * *")), Timetable(cron("0 2 * * *"))
    now = utc(2026, 11, 2)
    assert find_times_without_new_result(daily, daily, now, MOST) == ([], MOST)
    assert find_times_without_new_result(nightly, daily, now, MOST) == ([], MOST)
    stale, _examined = find_times_without_new_result(Timetable(cron("0 3 * * mon")), daily, now, MOST)
    assert [each.weekday() for each in stale] == [1, 2, 3, 4, 5, 6, 1, 2, 3]


def test_the_rate_of_a_schedule_is_counted_without_its_blackouts() -> None:
    spec = cron("*/15 * * * *")
    assert Timetable(spec).runs_per_day(utc(2026, 11, 2)) == 96
    nightly = tuple(ClosedTime("night", utc(2020, 1, day), utc(2020, 1, day, 12), "WEEKLY") for day in range(6, 13))
    assert abs(Timetable(spec, nightly).runs_per_day(utc(2026, 11, 2)) - 48) < 1
    assert Timetable(cron("* * * * *")).runs_per_day(utc(2026, 11, 2, 0, 0, 30)) == 1440
    assert Timetable(spec, enabled=False).runs_per_day(utc(2026, 11, 2)) == 0
    assert Timetable(ScheduleSpec("CRON", cron="0 3 * * mon", timezone="UTC")).runs_per_day(utc(2026, 11, 2)) == 4 / 28


# -- a job against itself: each second of its life ------------------------------------------------------------


@dataclass
class Life:
    """A job whose ticks come each second and whose runs all take equally long: what its claims would write."""

    job: Job
    seconds: int
    state: JobState = field(init=False)
    ends: dt.datetime | None = None
    found: Counter[str] = field(default_factory=Counter)

    def live(self, begin: dt.datetime, end: dt.datetime) -> OverlapForecast:
        first = next_instant_after(self.job.spec, begin)
        self.state = JobState(job=self.job, covered_until=begin, next_instant=first, next_run=first)
        now = begin
        while now <= end or self.ends is not None:
            self._second(now, end)
            now += SECOND
        return OverlapForecast(*(self.found[name] for name in ("runs", "merged", "skipped", "stopped", "late")))

    def _second(self, now: dt.datetime, end: dt.datetime) -> None:
        if self.ends is not None and self.ends <= now:
            self.ends = None
        due = self.state.next_instant
        if due is None or due > now or due > end:
            return
        if self.ends is not None and self.job.overlap == Overlap.SKIP:
            self._apply(claim_plan.plan_skip_of_overlapped_instants(self.state, now), now)
        elif self.ends is None or self.job.overlap == Overlap.REPLACE:
            self.found["stopped"] += self.ends is not None
            self._apply(claim_plan.plan_scheduled_run(self.state, now), now)

    def _apply(self, drawn: Plan, now: dt.datetime) -> None:
        for run in drawn.runs:
            assert run.scheduled_for is not None and run.covered_until is not None
            covered = sum(1 for _each in self._covered(run.scheduled_for, run.covered_until))
            if run.status == Status.SKIPPED:
                self.found["skipped"] += covered
            else:
                self.found["runs"] += 1
                self.found["merged"] += covered - 1
                self.found["late"] += self.job.catch_up == CatchUp.EACH and now > run.scheduled_for
                self.ends = now + self.seconds * SECOND
        drawn.state_after.job = self.job
        self.state = drawn.state_after

    def _covered(self, first: dt.datetime, last: dt.datetime) -> Iterator[dt.datetime]:
        instant: dt.datetime | None = first
        while instant is not None and instant <= last:
            yield instant
            instant = next_instant_after(self.job.spec, instant)


@settings(max_examples=30, deadline=None)
@given(
    expression=st.sampled_from(["* * * * *", "*/2 * * * *", "0,1,5,20 * * * *", "*/10 * * * *"]),
    seconds=st.integers(1, 700) | st.sampled_from([60, 120, 300, 600]),
    policy=st.sampled_from(Overlap.values),
    catch_up=st.sampled_from(CatchUp.values),
)
def test_overlaps_are_those_of_a_life_second_by_second(
    expression: str, seconds: int, policy: str, catch_up: str
) -> None:
    begin = utc(2026, 11, 2, 8, 0, 30)
    job = Job(pk=1, command="noop", cron=expression, timezone="UTC", overlap=policy, catch_up=catch_up)
    end = begin + 40 * MINUTE
    starts = Timetable(job.spec).starts(begin, end, 1000)
    expected = Life(job, seconds).live(begin, end)
    found = forecast_overlaps(starts, seconds * SECOND, policy, catch_up)
    if catch_up == CatchUp.EACH and policy == Overlap.WAIT:
        assert (found.run_count, found.late_count) == (len(starts), expected.late_count)
        assert found.run_count == expected.run_count
    elif policy == Overlap.WAIT:  # the last run may also cover times after the end: compare what was due until then
        assert found.run_count + found.merged + found.skipped == len(starts)
        assert found.run_count == expected.run_count
    elif catch_up != CatchUp.EACH:  # which needs the overlap "wait"
        assert found == expected


# -- jobs against each other: each second of a queue ----------------------------------------------------------


runs = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 150)), max_size=14)


def waits(starts: list[tuple[int, int]], capacity: int, running: list[int]) -> dict[int, int]:
    """By position: the seconds that each run waits, from a queue that is served second by second."""
    order = sorted(range(len(starts)), key=lambda n: (starts[n][0], n))
    open_ends, waiting, found = list(running), list(order), {}
    for now in range(20_000):
        open_ends = [end for end in open_ends if end > now]
        while waiting and starts[waiting[0]][0] <= now and len(open_ends) < capacity:
            position = waiting.pop(0)
            found[position] = now - starts[position][0]
            if starts[position][1]:
                open_ends.append(now + starts[position][1])
        if not waiting:
            return found
    raise AssertionError("the queue never ends")


@settings(max_examples=100, deadline=None)
@given(runs, st.integers(1, 3), st.lists(st.integers(1, 200), max_size=5))
def test_collisions_are_those_of_a_queue_second_by_second(
    drawn: list[tuple[int, int]], capacity: int, running: list[int]
) -> None:
    epoch = utc(2026, 11, 2, 8)
    expected = [ExpectedRun(epoch + at * SECOND, n, f"job {n}", taken * SECOND) for n, (at, taken) in enumerate(drawn)]
    found = find_collisions(expected, capacity, [(epoch + end * SECOND, f"open {n}") for n, end in enumerate(running)])
    waited = {n: wait for n, wait in waits(drawn, capacity, running).items() if wait}
    assert bool(found) == bool(waited)
    named = Counter(name for each in found for name in each.names)
    assert {f"job {n}" for n in waited} <= set(named) and max(named.values(), default=1) == 1
    longest = max(waited.values(), default=0)
    assert max((each.longest_wait for each in found), default=dt.timedelta()) == longest * SECOND
    for n, wait in waited.items():
        start = epoch + drawn[n][0] * SECOND
        (within,) = [each for each in found if f"job {n}" in each.names]
        assert within.start <= start < start + wait * SECOND <= within.end
        assert wait * SECOND <= within.longest_wait
        assert within.affected_job_count > capacity
    for low, high in itertools.pairwise(found):
        assert low.end < high.end and low.start <= high.start


def test_no_capacity_means_no_collision() -> None:
    at = utc(2026, 11, 2, 8)
    assert find_collisions([ExpectedRun(at, 1, "a", MINUTE), ExpectedRun(at, 2, "b", MINUTE)], 0) == []

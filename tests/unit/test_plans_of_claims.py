"""The plans of claims over random timelines: each scheduled time lies in exactly one range, whatever the catch-up."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from chroniker.lifecycle import claim_plan
from chroniker.models import CatchUp, Job, JobState, Run, Status
from chroniker.schedule import ClosedTime, next_instant_after
from tests.unit.schedule.samples import CHANGES, utc

MINUTE, MICROSECOND = dt.timedelta(minutes=1), dt.timedelta(microseconds=1)
EXPRESSIONS = ("* * * * *", "*/7 * * * *", "*/10 1-5 * * *", "5,35 * * * *", "0 * * * *", "30 2 * * *", "*/20 2 * * *")
CLOSED = (
    ClosedTime("nightly", utc(2020, 1, 1, 1), utc(2020, 1, 1, 1, 45), "WEEKLY"),
    ClosedTime("weekly", utc(2020, 1, 5, 1, 30), utc(2020, 1, 5, 6), "WEEKLY"),
)


@dataclass
class Timeline:
    """A job near a clock change of its zone, and the times at which it may be claimed: when ticks find it free."""

    job: Job
    begin: dt.datetime
    ticks: list[dt.datetime]

    def runs(self) -> list[Run]:
        """The rows of all claims."""
        first = next_instant_after(self.job.spec, self.begin)
        state, found = JobState(job=self.job, covered_until=self.begin, next_instant=first, next_run=first), list[Run]()
        for now in self.ticks:
            if state.next_run is not None and state.next_run <= now:
                drawn = claim_plan.plan_scheduled_run(state, now)
                found += drawn.runs
                drawn.state_after.job = self.job
                state = drawn.state_after
        return found


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    zone, change = draw(st.sampled_from(CHANGES))
    begin = change.replace(tzinfo=dt.UTC) + draw(st.integers(-300, 300)) * MINUTE
    steps = draw(st.lists(st.integers(1, 400), min_size=1, max_size=40))
    ticks = [begin + sum(steps[: n + 1]) * MINUTE / 2 for n in range(len(steps))]
    job = Job(
        pk=draw(st.integers(1, 9)),
        name="any",
        command="noop",
        cron=draw(st.sampled_from(EXPRESSIONS)),
        timezone=zone,
        dst_fold=draw(st.sampled_from(["FIRST", "BOTH"])),
        catch_up=draw(st.sampled_from(CatchUp.values)),
        misfire_grace_seconds=draw(st.sampled_from([None, 60, 1800, 86_400])),
        jitter_seconds=draw(st.sampled_from([0, 0, 90])),
    )
    job.closed_times = list(draw(st.sampled_from([(), CLOSED])))
    return Timeline(job, begin, ticks)


@settings(max_examples=400, deadline=None)
@given(timelines())
def test_each_scheduled_time_lies_in_exactly_one_range(timeline: Timeline) -> None:
    accounted, spec = timeline.begin, timeline.job.spec
    for run in timeline.runs():
        assert run.scheduled_for is not None and run.covered_until is not None
        assert run.scheduled_for == next_instant_after(spec, accounted), (
            "no scheduled time between two ranges, and no overlap"
        )
        assert run.covered_until == next_instant_after(spec, run.covered_until - MICROSECOND), (
            "it ends with a scheduled time"
        )
        accounted = run.covered_until


@settings(max_examples=200, deadline=None)
@given(timelines())
def test_a_run_covers_one_scheduled_time_unless_all_become_one(timeline: Timeline) -> None:
    for run in timeline.runs():
        if run.status == Status.CLAIMED and timeline.job.catch_up != CatchUp.COALESCE:
            assert run.scheduled_for == run.covered_until
        assert (run.instant, run.instant_until) == (run.scheduled_for, run.covered_until)


@settings(max_examples=200, deadline=None)
@given(timelines())
def test_the_intervals_of_consecutive_ranges_meet(timeline: Timeline) -> None:
    before = None
    for run in timeline.runs():
        assert before is None or run.interval_start == before
        before = run.covered_until

"""Expected runs, pools and rows of the timeline, compared with plain walks over time."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroniker.insights.collision_pools import find_pool_collisions, slots_by_queue
from chroniker.insights.expected_runs import ExpectedStarts, first_expected_runs
from chroniker.insights.timeline_rows import (
    BUSY_SLOTS_POINT_COUNT,
    JobRow,
    TimelineBand,
    TimelineBar,
    TimelineRows,
    arrange_lanes,
    average_runs_at_once,
)
from chroniker.insights.timeline_runs import JobLabel, TimelineRun
from chroniker.models import Group, HostService, Job, JobState, Run, RunHour, Status
from chroniker.schedule import jitter, next_instant_after
from tests.unit.schedule.samples import utc

MINUTE, SECOND, HOUR = dt.timedelta(minutes=1), dt.timedelta(seconds=1), dt.timedelta(hours=1)
NOW = utc(2026, 11, 2, 8, 0, 30)
EXPRESSIONS = ("* * * * *", "*/7 * * * *", "*/30 * * * *", "5 9 * * *", "0 0 1 1 *", "61 * * * *")


def a_state(pk: int, cron: str, *, jitter_seconds: int = 0, p50: float | None = 60.0, **fields: Any) -> JobState:
    values = {"executor": "celery", **fields}
    job = Job(pk=pk, name=f"job {pk}", cron=cron, timezone="UTC", jitter_seconds=jitter_seconds, **values)
    first = next_instant_after(job.spec, NOW) if cron != "61 * * * *" else NOW + MINUTE
    delay = jitter(pk, jitter_seconds)
    return JobState(job=job, next_instant=first, next_run=first and first + delay, p50=p50)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EXPRESSIONS), st.sampled_from([0, 90])), max_size=6), st.integers(0, 60))
def test_expected_runs_are_those_of_a_walk_over_each_minute(drawn: list[tuple[str, int]], most: int) -> None:
    states = [a_state(n, cron, jitter_seconds=seconds) for n, (cron, seconds) in enumerate(drawn, 1)]
    high = NOW + HOUR
    starts = []
    for state in states:
        if state.job.cron == "61 * * * *":  # written past the form: only its next run is known
            starts.append((NOW + MINUTE + jitter(state.pk, state.job.jitter_seconds), state.pk))
            continue
        minute = NOW.replace(second=0)
        while minute <= high:
            minute += MINUTE
            due = minute + jitter(state.pk, state.job.jitter_seconds)
            if next_instant_after(state.job.spec, minute - SECOND) == minute and due <= high:
                starts.append((due, state.pk))
    starts.sort()
    found = first_expected_runs(states, ExpectedStarts(high), most)
    assert [(run.start, run.job_id) for run in found.runs] == starts[:most]
    assert found.until == (starts[most][0] if len(starts) > most else None)


def test_the_interval_is_the_time_between_the_next_two_scheduled_times() -> None:
    starts = ExpectedStarts(NOW + dt.timedelta(hours=1))
    states = [a_state(n, cron) for n, cron in enumerate(("*/7 * * * *", "0 0 1 1 *", "61 * * * *"))]
    assert [starts.interval_between_starts(state) for state in states] == [7 * MINUTE, None, None]


def test_each_start_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[object] = []

    def counted(*args: Any) -> Any:
        computed.append(args)
        return next_instant_after(*args)

    monkeypatch.setattr("chroniker.insights.expected_runs.next_instant_after", counted)
    starts, state = ExpectedStarts(NOW + dt.timedelta(hours=1)), a_state(1, "*/7 * * * *")
    assert starts.interval_between_starts(state) == 7 * MINUTE
    first = list(starts.starts_of_job(state))
    assert list(starts.starts_of_job(state)) == first and len(first) == len(set(first)) == len(computed)


def a_service(worker: str, slots: int | None, *queues: str) -> HostService:
    return HostService(executor="celery", worker=worker, slots=slots, queues=list(queues))


def test_the_slots_of_a_queue_are_those_of_all_its_workers() -> None:
    services = [a_service("a", 4, "heavy", "light"), a_service("b", 2, "light"), a_service("c", None, "odd")]
    services.append(HostService(executor="local", worker="d", slots=1, queues=[]))
    assert slots_by_queue(services) == {
        ("celery", "heavy"): 4, ("celery", "light"): 6, ("celery", "odd"): None, ("local", ""): 1,
    }  # fmt: skip


def test_queues_and_groups_collide_on_their_own() -> None:
    group = Group(pk=1, name="imports", limit=1)
    states = [a_state(n, "*/30 * * * *", queue="heavy", group=group if n < 3 else None) for n in (1, 2, 3)]
    runs = first_expected_runs(states, ExpectedStarts(NOW + 30 * MINUTE), 99).runs
    found = find_pool_collisions(runs, states, [], [], [a_service("a", 2, "heavy")], NOW)
    assert [(each.group, each.queue, each.collision.capacity) for each in found] == [
        ("", ("celery", "heavy"), 2),
        ("imports", None, 1),
    ]
    assert [each.collision.names for each in found] == [["job 1", "job 2", "job 3"], ["job 1", "job 2"]]
    assert find_pool_collisions([run for run in runs if run.job_id == 3], states, [], [], [], NOW) == []


def test_the_queue_of_a_job_is_that_of_its_latest_run_and_open_runs_hold_slots() -> None:
    state = a_state(1, "*/30 * * * *")
    past = [closed(1, 1, job=state.job)._replace(executor="celery", queue=queue) for queue in ("new", "old")]
    open_run = Run(job=a_state(2, "0 0 1 1 *", p50=3600.0).job, executor="celery", queue="new", started_at=NOW)
    runs = first_expected_runs([state], ExpectedStarts(NOW + 30 * MINUTE), 99).runs
    services = [a_service("a", 1, "new")]
    assert find_pool_collisions(runs, [state], [], past, services, NOW) == []
    open_run.job.state = JobState(p50=3600.0)
    (found,) = find_pool_collisions(runs, [state], [open_run], past, services, NOW)
    assert (found.queue, found.collision.still_running) == (("celery", "new"), ["job 2"])
    assert found.collision.longest_wait == 30 * MINUTE + 30 * SECOND


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-100, 700), st.integers(0, 300)), max_size=12))
def test_the_line_of_busy_slots_is_the_number_of_runs_in_each_second(bars: list[tuple[int, int]]) -> None:
    low, high = NOW, NOW + BUSY_SLOTS_POINT_COUNT * 5 * SECOND
    row = JobRow(
        1, "job", "a", bars=[TimelineBar(NOW + a * SECOND, NOW + (a + n) * SECOND, "succeeded") for a, n in bars]
    )
    seconds = Counter(second for a, n in bars for second in range(a, a + n))
    expected = [sum(seconds[part * 5 + each] for each in range(5)) / 5 for part in range(BUSY_SLOTS_POINT_COUNT)]
    assert [round(busy, 6) for busy in average_runs_at_once([row], low, high)] == [round(each, 6) for each in expected]


def closed(pk: int, minutes_ago: int, *, job: Job, worker: str = "a", status: str = Status.SUCCEEDED) -> TimelineRun:
    end = NOW - minutes_ago * MINUTE
    label = JobLabel(job.pk, job.name, None)
    return TimelineRun(UUID(int=pk), label, status, end - MINUTE, end - MINUTE, end, worker, worker, "", "")


def test_runs_stand_in_the_lane_of_their_worker_and_expected_ones_in_that_of_the_latest() -> None:
    state = a_state(1, "*/30 * * * *")
    rows = TimelineRows(NOW - HOUR, NOW, NOW + HOUR, None, "worker")
    rows.add_runs([closed(2, 5, job=state.job), closed(1, 35, job=state.job, worker="b", status=Status.FAILED)])
    rows.add_expected_runs([state, a_state(2, "*/30 * * * *")], set(), ExpectedStarts(rows.high))
    lanes = arrange_lanes(rows.select_busiest_rows(9), rows, 99).lanes
    shown = {lane.title: [[bar.code for bar in row.bars] for row in lane.rows] for lane in lanes}
    assert shown == {"a": [["succeeded", "expected", "expected"]], "b": [["failed"]], "": [["expected", "expected"]]}
    assert [lane.title for lane in lanes] == ["a", "b", ""]


def test_the_busiest_rows_are_kept_and_the_rest_is_counted() -> None:
    rows = TimelineRows(NOW - HOUR, NOW, NOW + HOUR, None, "job")
    for pk in range(1, 9):
        job = a_state(pk, "0 0 1 1 *").job
        rows.add_runs([closed(pk * 10 + n, n * 3, job=job) for n in range(1, pk + 1)])
    shown = rows.select_busiest_rows(3)
    assert ([row.job_id for row in shown], rows.row_count) == ([8, 7, 6], 8)
    arranged = arrange_lanes(shown, rows, 10)
    assert arranged.bars_left_out == 8 + 7 + 6 - 10
    assert [len(row.bars) for row in shown] == [8, 2, 0]


def test_a_frequent_job_is_a_band_of_its_hours() -> None:
    state = a_state(1, "* * * * *")
    rows = TimelineRows(NOW - 3 * HOUR, NOW, NOW + 3 * HOUR, None, "job")
    rows.add_expected_runs([state], {1}, ExpectedStarts(rows.high))
    shown = rows.select_busiest_rows(9)
    assert rows.job_ids_needing_hours(shown) == [1]
    hour = NOW.replace(minute=0, second=0)
    rows.add_bands_of_hours(
        shown, [RunHour(job=state.job, hour=hour - n * HOUR, succeeded=60 - n, failed=n) for n in (3, 2, 1, 0)]
    )
    bands = sorted(shown[0].bands, key=lambda band: band.start)
    assert [(band.succeeded, band.failed) for band in bands] == [(57, 3), (58, 2), (59, 1), (60, 0), (0, 0)]
    assert bands[-1].is_expected and all(low.end == high.start for low, high in pairwise(bands[:-1]))
    assert (bands[0].start, bands[3].end) == (NOW - 3 * HOUR, NOW)


def test_hours_of_single_runs_are_not_bands() -> None:
    state = a_state(1, "*/30 * * * *")
    since = NOW - HOUR
    rows = TimelineRows(NOW - 3 * HOUR, NOW, NOW + 3 * HOUR, since, "job")
    rows.add_expected_runs([state], set(), ExpectedStarts(rows.high))
    shown = rows.select_busiest_rows(9)
    hour = NOW.replace(minute=0, second=0)
    rows.add_bands_of_hours(shown, [RunHour(job=state.job, hour=hour - n * HOUR, succeeded=2) for n in (2, 1, 0)])
    assert shown[0].bands == [
        TimelineBand(hour - 2 * HOUR, hour - HOUR, 2),
        TimelineBand(hour - HOUR, since, 2, seconds=0.0),
    ]

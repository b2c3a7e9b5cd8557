"""The rows of the timeline: bars of single runs, bands of many runs, and the busy slots above each worker. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chroniker.insights.collision_pools import expected_end_of_run
from chroniker.insights.crowding import assumed_duration, assumed_seconds
from chroniker.insights.expected_runs import ExpectedStarts
from chroniker.insights.timeline_runs import GroupLabel, JobLabel, TimelineRun
from chroniker.models import Group, Job, JobState, Run, RunHour, Status

#: Expected runs of one row; a job that is expected more often is a band.
MAX_EXPECTED_RUNS = 150
#: The line of busy slots has so many points.
BUSY_SLOTS_POINT_COUNT = 96
HOUR = dt.timedelta(hours=1)


class TimelineBar(NamedTuple):  # a picture has thousands, and a frozen dataclass is three times slower
    """One run, or one expected run. ``code``: its status in small letters, or "expected"."""

    start: dt.datetime
    end: dt.datetime
    code: str
    run: Run | TimelineRun | None = None


@dataclass(frozen=True, slots=True)
class TimelineBand:
    """Many runs that are not shown one by one. An expected band has no counts."""

    start: dt.datetime
    end: dt.datetime
    succeeded: int = 0
    failed: int = 0
    seconds: float = 0.0
    is_expected: bool = False


@dataclass(slots=True)
class JobRow:
    """One job within one lane."""

    job_id: int
    name: str
    lane: str
    usual: float | None = None
    bars: list[TimelineBar] = field(default_factory=list)
    bands: list[TimelineBand] = field(default_factory=list)
    expected: list[dt.datetime] = field(default_factory=list)  #: starts that have no bar yet

    @property
    def busy_seconds(self) -> float:
        """The time that its bars and bands take. The rows with the most time are kept."""
        bars = sum([(bar.end - bar.start).total_seconds() for bar in self.bars])
        bars += len(self.expected) * assumed_seconds(self.usual)
        return bars + sum([self.usual or 0 for band in self.bands if band.is_expected])

    def add_expected_bars(self) -> None:
        """Add a bar for each expected start. Only the rows that are shown need them."""
        length = assumed_duration(self.usual)
        self.bars += [TimelineBar(start, start + length, "expected") for start in self.expected]
        self.expected = []


@dataclass(slots=True)
class TimelineLane:
    """A worker, a group, or all jobs (with an empty title)."""

    title: str
    rows: list[JobRow] = field(default_factory=list)
    load: list[float] = field(default_factory=list)  #: the average number of runs at once, in equal parts of the time
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ArrangedLanes:
    lanes: list[TimelineLane]
    bars_left_out: int


class TimelineRows:
    """Collects the rows of one timeline."""

    def __init__(
        self,
        low: dt.datetime,
        now: dt.datetime,
        high: dt.datetime,
        single_runs_since: dt.datetime | None,
        grouped_by: str,
    ) -> None:
        self.low, self.now, self.high, self.single_runs_since, self.grouped_by = (
            low,
            now,
            high,
            single_runs_since,
            grouped_by,
        )
        self.groups: dict[str, Group | GroupLabel] = {}
        self._found: dict[tuple[str, int], JobRow] = {}
        self._last_lane: dict[int, str] = {}
        self._frequent: set[int] = set()

    @property
    def row_count(self) -> int:
        return len(self._found)

    def add_runs(self, runs: Iterable[TimelineRun]) -> None:
        """Closed runs, newest first."""
        for run in runs:
            row = self._row_of_job(run.job, self._lane_of_run(run))
            start, end = run.started_at or run.claimed_at, run.finished_at or self.now
            if end >= self.low:
                row.bars.append(TimelineBar(max(start, self.low), max(end, start), str(run.status).lower(), run))

    def add_open_runs(self, runs: Iterable[Run]) -> None:
        """Open runs, with ``job.state``."""
        for run in runs:
            row = self._row_of_job(run.job, self._lane_of_run(run))
            start = max(run.started_at or run.claimed_at, self.low)
            end = max(self.now, min(expected_end_of_run(run, self.now), self.high)) if run.started_at else self.now
            row.bars.append(TimelineBar(start, end, "running" if run.status == Status.RUNNING else "queued", run))

    def record_lanes(self, runs: Iterable[TimelineRun]) -> None:
        """Set the lanes of jobs of which no run was added, from these runs, the newest first."""
        for run in runs:
            self._lane_of_run(run)

    def add_expected_runs(
        self, states: Iterable[JobState], frequent_job_ids: Collection[int], starts_of_jobs: ExpectedStarts
    ) -> None:
        """Expected runs in the lane of the job's latest run."""
        self._frequent = set(frequent_job_ids)
        for state in states:
            row = self._row_of_job(state.job, self._last_lane.get(state.job_id, self._lane_of_job(state.job)))
            row.usual = state.p50
            starts = starts_of_jobs.first_starts(state, MAX_EXPECTED_RUNS + 1)
            if state.job_id in frequent_job_ids or len(starts) > MAX_EXPECTED_RUNS:
                first = max(starts[0], self.now) if starts else self.now
                row.bands.append(TimelineBand(first, self.high, is_expected=True))
            else:
                row.expected = [start for start in starts if start >= self.now]

    def select_busiest_rows(self, limit: int) -> list[JobRow]:
        found = sorted(self._found.values(), key=lambda row: (-row.busy_seconds, row.name))[:limit]
        for row in found:
            row.add_expected_bars()
        return found

    def job_ids_needing_hours(self, rows: Iterable[JobRow]) -> list[int]:
        """The jobs that need hourly counts, because some of their runs were not read."""
        ids = {row.job_id for row in rows}
        return sorted(ids if self.single_runs_since is not None else ids & self._frequent)

    def add_bands_of_hours(self, rows: Iterable[JobRow], hours: Iterable[RunHour]) -> None:
        """Bands of the runs that are not shown one by one, in the lane of the job's latest run."""
        by_job = {row.job_id: row for row in rows if row.lane == self._last_lane.get(row.job_id, row.lane)}
        for hour in hours:
            row = by_job.get(hour.job_id)
            if row is None:
                continue
            end = self.now if hour.job_id in self._frequent else min(self.single_runs_since or self.low, self.now)
            low, high = max(hour.hour, self.low), min(hour.hour + HOUR, end)
            if low < high:
                bad = hour.failed + hour.timed_out + hour.lost
                row.bands.append(TimelineBand(low, high, hour.succeeded, bad, hour.seconds_sum * ((high - low) / HOUR)))

    def _row_of_job(self, job: Job | JobLabel, lane: str) -> JobRow:
        return self._found.setdefault((lane, job.pk), JobRow(job.pk, job.name, lane))

    def _lane_of_run(self, run: Run | TimelineRun) -> str:
        lane = (run.worker or run.host) if self.grouped_by == "worker" else self._lane_of_job(run.job)
        self._last_lane.setdefault(run.job_id, lane)
        return lane

    def _lane_of_job(self, job: Job | JobLabel) -> str:
        if self.grouped_by != "group" or job.group is None:
            return ""
        self.groups[job.group.name] = job.group
        return job.group.name


def arrange_lanes(shown_rows: Sequence[JobRow], rows: TimelineRows, most_bars: int) -> ArrangedLanes:
    """The lanes by title, each with its rows by name. Of too many bars, those of the least busy rows are left out."""
    left, omitted = most_bars, 0
    lanes: dict[str, TimelineLane] = {}
    for row in shown_rows:
        row.bars.sort(key=lambda bar: bar.start)
        if len(row.bars) > left:
            omitted += len(row.bars) - left
            row.bars = row.bars[-left:] if left else []
        left -= len(row.bars)
        group = rows.groups.get(row.lane)
        lanes.setdefault(row.lane, TimelineLane(row.lane, limit=group.limit if group else None)).rows.append(row)
    for lane in lanes.values():
        lane.rows.sort(key=lambda row: row.name)
        lane.load = average_runs_at_once(lane.rows, rows.low, rows.high)
    return ArrangedLanes([lanes[title] for title in sorted(lanes, key=lambda title: (title == "", title))], omitted)


def average_runs_at_once(rows: Iterable[JobRow], low: dt.datetime, high: dt.datetime) -> list[float]:
    """The average number of runs at once, in ``BUSY_SLOTS_POINT_COUNT`` equal parts of the time."""
    step = (high - low) / BUSY_SLOTS_POINT_COUNT
    seconds: Counter[int] = Counter()
    for row in rows:
        for bar in row.bars:
            _spread_seconds(seconds, bar.start, bar.end, (bar.end - bar.start).total_seconds(), low, step)
        for band in row.bands:
            _spread_seconds(seconds, band.start, band.end, band.seconds, low, step)
    return [seconds[part] / step.total_seconds() for part in range(BUSY_SLOTS_POINT_COUNT)]


def _spread_seconds(
    seconds: Counter[int], start: dt.datetime, end: dt.datetime, total: float, low: dt.datetime, step: dt.timedelta
) -> None:
    """Add ``total`` seconds, evenly from ``start`` to ``end``, to the parts of the time."""
    if end <= start or total <= 0:
        return
    first, last = max(int((start - low) / step), 0), min(int((end - low) / step), BUSY_SLOTS_POINT_COUNT - 1)
    for part in range(first, last + 1):
        inside = min(end, low + (part + 1) * step) - max(start, low + part * step)
        seconds[part] += total * max(inside / (end - start), 0)  # type: ignore[assignment]

"""Collisions by pool: the slots of a queue's workers, and the limit of a group. Pure."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chroniker.insights.crowding import Collision, ExpectedRun, assumed_duration, find_collisions
from chroniker.insights.timeline_runs import TimelineRun
from chroniker.models import Group, HostService, JobState, Run

QueueKey = tuple[str, str]  #: executor and queue; the queue is empty for an executor without queues


@dataclass(frozen=True, slots=True)
class PoolCollision:
    """A collision, and the ``queue`` or the ``group`` that has too few slots."""

    collision: Collision
    queue: QueueKey | None = None
    group: str = ""


def slots_by_queue(services: Iterable[HostService]) -> dict[QueueKey, int | None]:
    """The slots of the live workers of each queue; None if a worker has no limit, or its number of slots is unknown."""
    found: dict[QueueKey, int | None] = {}
    for service in services:
        for name in service.consumed_queues:
            known = found.get((service.executor, name), 0)
            found[service.executor, name] = None if known is None or service.slots is None else known + service.slots
    return found


def find_pool_collisions(
    expected_runs: Sequence[ExpectedRun],
    states: Iterable[JobState],
    open_runs: Sequence[Run],
    past_runs: Iterable[TimelineRun],
    services: Iterable[HostService],
    now: dt.datetime,
) -> list[PoolCollision]:
    """The collisions in order of time. A job's queue is that of its latest run, or that of the job if it has not run.

    Each pool is examined on its own, as if nothing else delayed its runs.
    """
    jobs = {state.job_id: state.job for state in states}
    queues: dict[int, QueueKey] = {pk: (job.executor, job.queue) for pk, job in jobs.items()}
    latest_last: list[Run | TimelineRun] = [*reversed([*past_runs]), *reversed(open_runs)]
    queues |= {run.job_id: (run.executor, run.queue) for run in latest_last if run.executor}
    by_queue: dict[QueueKey, list[ExpectedRun]] = defaultdict(list)
    by_group: dict[int, list[ExpectedRun]] = defaultdict(list)
    groups: dict[int, Group] = {}
    for run in expected_runs:
        by_queue[queues[run.job_id]].append(run)
        group = jobs[run.job_id].group
        if group is not None and group.limit is not None:
            groups[group.pk] = group
            by_group[group.pk].append(run)
    slots = slots_by_queue(services)
    found = [
        PoolCollision(each, queue=queue)
        for queue, runs in by_queue.items()
        for each in find_collisions(runs, slots.get(queue) or 0, _ends_of_open_runs(open_runs, now, queue=queue))
    ]
    found += [
        PoolCollision(each, group=group.name)
        for pk, group in groups.items()
        for each in find_collisions(by_group[pk], group.limit or 0, _ends_of_open_runs(open_runs, now, group=pk))
    ]
    return sorted(found, key=lambda each: each.collision.start)


def _ends_of_open_runs(
    open_runs: Iterable[Run], now: dt.datetime, *, queue: QueueKey | None = None, group: int | None = None
) -> list[tuple[dt.datetime, str]]:
    """The expected end and the job's name of each open run of a pool. A late run is expected to end now."""
    return [
        (max(expected_end_of_run(run, now), now), run.job.name)
        for run in open_runs
        if (queue is None or (run.executor, run.queue) == queue) and (group is None or run.job.group_id == group)
    ]


def expected_end_of_run(run: Run, now: dt.datetime) -> dt.datetime:
    """When an open run probably ends, by the usual duration of its job."""
    state: JobState | None = getattr(run.job, "state", None)
    return (run.started_at or now) + assumed_duration(state.p50 if state is not None else None)

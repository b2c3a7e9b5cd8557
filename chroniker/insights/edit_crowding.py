"""Minutes in which an edit lets more jobs start than its group, or the workers of its queue, have places for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from django.db.models import OuterRef, Subquery

from chroniker.eligibility.hosts import services_of_live_hosts
from chroniker.insights.collision_pools import PoolCollision, QueueKey, slots_by_queue
from chroniker.insights.crowding import ExpectedRun, assumed_duration, find_collisions
from chroniker.models import Job, JobState, Run
from chroniker.models.compiled import ColumnInIds

#: Live workers that are read.
MAX_WORKERS = 3000


def find_overloaded_minutes(
    edited: Job, own_seconds: float | None, offset: dt.timedelta, others_by_time: dict[dt.datetime, list[JobState]]
) -> list[PoolCollision]:
    """``others_by_time``: by scheduled time, the other jobs that start in the same minute.

    Runs that started earlier are not considered. A worker of several queues counts for each of them.

    Two statements at most.
    """
    if not any(others_by_time.values()):
        return []
    found = []
    queue, queues, slots = _queues_and_slots(edited, others_by_time.values())
    for instant, states in others_by_time.items():
        start = (instant + offset).replace(second=0, microsecond=0)
        own = ExpectedRun(start, edited.pk or 0, edited.name, assumed_duration(own_seconds))
        group = edited.group
        if group is not None and group.limit is not None:
            runs = [*_expected_runs(start, [state for state in states if state.job.group_id == group.pk]), own]
            found += [PoolCollision(each, group=group.name) for each in find_collisions(runs, group.limit)[:1]]
        if slots:
            runs = [
                *_expected_runs(
                    start, [state for state in states if queues.get(state.pk, _queue_of_job(state.job)) == queue]
                ),
                own,
            ]
            found += [PoolCollision(each, queue=queue) for each in find_collisions(runs, slots)[:1]]
    return found


def _expected_runs(start: dt.datetime, states: Sequence[JobState]) -> list[ExpectedRun]:
    return [ExpectedRun(start, state.pk, state.job.name, assumed_duration(state.p50)) for state in states]


def _queue_of_job(job: Job) -> QueueKey:
    return job.executor, job.queue


def _queues_and_slots(
    edited: Job, other_states: Collection[Sequence[JobState]]
) -> tuple[QueueKey, dict[int, QueueKey], int | None]:
    """The queue of the edited job, the queues of the other jobs by id, and the slots of the edited job's queue.

    A job's queue is the queue of its latest run. If the job names no queue, its runs have the executor's own queue.
    """
    slots = slots_by_queue(services_of_live_hosts()[:MAX_WORKERS])
    if not any(slots.values()):
        return _queue_of_job(edited), {}, None
    ids = {state.pk for states in other_states for state in states}
    # One search in the index for each job: a join may read all runs of these jobs.
    latest = Run.objects.filter(job=OuterRef("pk"), token=OuterRef("last_token"), parent=None)
    columns = {f"latest_{name}": Subquery(latest.values(name)[:1]) for name in ("executor", "queue")}
    names = (
        JobState.objects.filter(ColumnInIds("pk", [*ids, edited.pk or 0]))
        .annotate(**columns)
        .values_list("pk", *columns)
    )
    queues = {pk: (executor, queue) for pk, executor, queue in names if executor}
    queue = queues.get(edited.pk or 0, _queue_of_job(edited))
    return queue, queues, slots.get(queue)

"""Cycles of dependencies and triggers together: jobs that wait for, or start, each other. Read-only.

Here a dependency and a trigger mean the same: one job comes after another. Each function returns the cycle that new
rows would close, as job ids from the edited job back to itself; or ``None``. The search ends at the edited job, so the
stored rows that its form replaces are never followed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from chroniker.models import JobDependency, JobTrigger

#: (a job, the job that it comes after)
JobPair = tuple[int, int]


def find_dependency_cycle(dependent_id: int, dependee_ids: Iterable[int]) -> list[int] | None:
    """The cycle that exists if ``dependent_id`` waits for these jobs."""
    return _find_cycle_from(dependent_id, dependee_ids, [*_dependency_pairs(), *_trigger_pairs()])


def find_cycle_through_trigger_sources(target_id: int, source_ids: Iterable[int]) -> list[int] | None:
    """The cycle that exists if these jobs start ``target_id``."""
    return _find_cycle_from(target_id, source_ids, [*_dependency_pairs(), *_trigger_pairs()])


def find_cycle_through_trigger_targets(source_id: int, target_ids: Iterable[int]) -> list[int] | None:
    """The cycle that exists if ``source_id`` starts these jobs, in the order in which they start."""
    stored = [*_dependency_pairs(), *_trigger_pairs()]
    return _find_cycle_from(source_id, target_ids, [(before, after) for after, before in stored])


def _dependency_pairs() -> QuerySet[Any, JobPair]:
    return JobDependency.objects.values_list("dependent", "dependee")


def _trigger_pairs() -> QuerySet[Any, JobPair]:
    return JobTrigger.objects.values_list("target", "source")


def _find_cycle_from(start: int, next_ids: Iterable[int], stored_pairs: Iterable[JobPair]) -> list[int] | None:
    edges: dict[int, list[int]] = {}
    for here, there in stored_pairs:
        edges.setdefault(here, []).append(there)
    path_to = {job_id: [start, job_id] for job_id in next_ids}
    waiting = list(path_to)
    while waiting:
        job_id = waiting.pop()
        if job_id == start:
            return path_to[job_id]
        for there in edges.get(job_id, []):
            if there not in path_to:
                path_to[there] = [*path_to[job_id], there]
                waiting.append(there)
    return None

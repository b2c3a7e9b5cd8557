"""Chains of dependent jobs: the expected duration of a chain, and its critical path. Read-only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chroniker.insights.durations import fetch_expected_durations
from chroniker.models import Job, JobDependency

#: By job id: the jobs it waits for, or (in the other direction) the jobs that wait for it.
Edges = Mapping[int, Collection[int]]


@dataclass(frozen=True, slots=True)
class DependencyChainJob:
    """One job of a chain. A job without dependencies starts at second 0. Any other job starts when its dependencies
    have ended."""

    job: Job
    waits_for: list[Job]  #: in this chain
    seconds: float | None  #: its expected duration; ``None``: it has not succeeded yet, and counts as 0
    starts_after: float


@dataclass(frozen=True, slots=True)
class DependencyChain:
    links: list[DependencyChainJob]  #: in topological order
    critical_path: list[Job]  #: the longest path; any delay on it delays the end
    seconds: float
    circles: list[Job]  #: jobs in a cycle of dependencies, and jobs that wait for those: none of them ever starts

    @property
    def is_complete(self) -> bool:
        """Whether each job's duration is known; if not, ``seconds`` is a lower bound."""
        return all(link.seconds is not None for link in self.links) and not self.circles


def fetch_dependency_chains(job_ids: Collection[int] | None = None) -> list[DependencyChain]:
    """For each of these jobs, the chain of its direct and indirect dependents. ``None``: all chains.

    Three statements, however many jobs. A disabled job counts as 0 seconds.
    """
    waits_for: dict[int, set[int]] = {}
    followers: dict[int, set[int]] = {}
    for dependent, dependee in JobDependency.objects.values_list("dependent", "dependee"):
        waits_for.setdefault(dependent, set()).add(dependee)
        followers.setdefault(dependee, set()).add(dependent)
    if job_ids is None:
        members = list(connected_parts(waits_for, followers))
    else:
        members = [reachable_jobs(job_id, followers) for job_id in job_ids]
    all_ids = set().union(*members)
    jobs = {job.pk: job for job in Job.objects.filter(pk__in=all_ids).only("name", "enabled").order_by("name")}
    expected = {pk: length.total_seconds() for pk, length in fetch_expected_durations(all_ids).items()}
    expected |= {pk: 0.0 for pk, job in jobs.items() if not job.enabled}
    # Built from `jobs`, because a job may be deleted between the statements. The order by name is deterministic.
    return [_build_chain([job for pk, job in jobs.items() if pk in ids], waits_for, expected) for ids in members]


def reachable_jobs(start: int, *edges: Edges) -> set[int]:
    """``start`` and all jobs that can be reached from it over these edges."""
    found, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        new = {there for way in edges for there in way.get(here, ())} - found
        found |= new
        waiting += new
    return found


def connected_parts(waits_for: Edges, followers: Edges) -> Iterator[set[int]]:
    """The connected parts of the graph, without jobs that have no dependency."""
    seen: set[int] = set()
    for start in sorted({*waits_for, *followers}):
        if start not in seen:
            seen |= (chain := reachable_jobs(start, waits_for, followers))
            yield chain


def _build_chain(members: Sequence[Job], waits_for: Edges, expected_seconds: Mapping[int, float]) -> DependencyChain:
    jobs = {job.pk: job for job in members}
    before = {pk: [other for other in jobs if other in waits_for.get(pk, ())] for pk in jobs}
    ends = _earliest_ends(before, expected_seconds)
    links = [
        DependencyChainJob(
            jobs[pk],
            [jobs[other] for other in before[pk]],
            expected_seconds.get(pk),
            end - expected_seconds.get(pk, 0.0),
        )
        for pk, end in ends.items()
    ]
    path = [jobs[pk] for pk in _path_to_last_end(ends, before)]
    return DependencyChain(
        links, path, max(ends.values(), default=0.0), [job for pk, job in jobs.items() if pk not in ends]
    )


def find_critical_path(
    dependees: Mapping[int, Sequence[int]], expected_seconds: Mapping[int, float]
) -> tuple[list[int], float]:
    """The longest path and its duration. ``dependees``: for each job, in a fixed order, the jobs it waits for."""
    ends = _earliest_ends(dependees, expected_seconds)
    return _path_to_last_end(ends, dependees), max(ends.values(), default=0.0)


def _earliest_ends(dependees: Mapping[int, Sequence[int]], expected_seconds: Mapping[int, float]) -> dict[int, float]:
    """When each job ends if it starts as soon as it may, in topological order."""
    ends: dict[int, float] = {}
    for pk in _sort_by_dependency(dependees):
        ends[pk] = max((ends[other] for other in dependees[pk]), default=0.0) + expected_seconds.get(pk, 0.0)
    return ends


def _sort_by_dependency(dependees: Mapping[int, Sequence[int]]) -> list[int]:
    """Topological order. Jobs in a cycle, and jobs that wait for one, are left out."""
    left = {pk: len(others) for pk, others in dependees.items()}
    after: dict[int, list[int]] = {}
    for pk, others in dependees.items():
        for other in others:
            after.setdefault(other, []).append(pk)
    ready = [pk for pk, count in left.items() if count == 0]
    for pk in ready:  # the list grows during this loop
        for follower in after.get(pk, ()):
            left[follower] -= 1
            if left[follower] == 0:
                ready.append(follower)
    return ready


def _path_to_last_end(ends: Mapping[int, float], dependees: Mapping[int, Sequence[int]]) -> list[int]:
    """The critical path: backwards from the job that ends last, each time to the dependency that ends last."""
    if not ends:
        return []
    path = [max(reversed([*ends]), key=lambda pk: ends[pk])]  # if several end last: the last in topological order
    while others := dependees[path[-1]]:
        path.append(max(others, key=lambda pk: ends[pk]))
    return path[::-1]


def duration_in_words(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return f"{seconds:.1f} s" if seconds < 60 else str(dt.timedelta(seconds=round(seconds)))

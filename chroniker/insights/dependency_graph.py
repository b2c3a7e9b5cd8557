"""Chains of jobs that wait for each other: how long one takes from end to end, and why. Writes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chroniker.insights.durations import expected_durations
from chroniker.models import Job, JobDependency

#: By job: the jobs that it waits for, or, read the other way, those that wait for it.
Edges = Mapping[int, Collection[int]]


@dataclass(frozen=True, slots=True)
class Link:
    """One job of a chain, if the jobs that wait for nothing start at 0 and each other one when it may."""

    job: Job
    waits_for: list[Job]  #: in this chain
    seconds: float | None  #: what its past runs let one expect; ``None``: it has not succeeded yet, and counts as 0
    starts_after: float


@dataclass(frozen=True, slots=True)
class Chain:
    links: list[Link]  #: each after those it waits for
    critical_path: list[Job]  #: the longest way through; any delay on it delays the end
    seconds: float
    circles: list[Job]  #: what waits for itself, by way of others, or for such a job: none of these ever starts

    @property
    def is_complete(self) -> bool:
        """Whether each job's duration is known; if not, ``seconds`` is the least it takes."""
        return all(link.seconds is not None for link in self.links) and not self.circles


def chains(job_ids: Collection[int] | None = None) -> list[Chain]:
    """For each of these jobs the chain of what waits for it, directly or not; or all chains there are.

    Three statements, however many jobs. A disabled job takes no time.
    """
    waits_for: dict[int, set[int]] = {}
    followers: dict[int, set[int]] = {}
    for dependent, dependee in JobDependency.objects.values_list("dependent", "dependee"):
        waits_for.setdefault(dependent, set()).add(dependee)
        followers.setdefault(dependee, set()).add(dependent)
    if job_ids is None:
        members = list(_connected(waits_for, followers))
    else:
        members = [_reachable(job_id, followers) for job_id in job_ids]
    everybody = set().union(*members)
    jobs = {job.pk: job for job in Job.objects.filter(pk__in=everybody).only("name", "enabled").order_by("name")}
    expected = {pk: length.total_seconds() for pk, length in expected_durations(everybody).items()}
    expected |= {pk: 0.0 for pk, job in jobs.items() if not job.enabled}
    # Jobs may be deleted between these statements; and in the order of names, so that each time it is the same chain.
    return [_chain([job for pk, job in jobs.items() if pk in ids], waits_for, expected) for ids in members]


def _reachable(start: int, *edges: Edges) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        new = {there for way in edges for there in way.get(here, ())} - found
        found |= new
        waiting += new
    return found


def _connected(waits_for: Edges, followers: Edges) -> Iterator[set[int]]:
    seen: set[int] = set()
    for start in sorted({*waits_for, *followers}):
        if start not in seen:
            seen |= (chain := _reachable(start, waits_for, followers))
            yield chain


def _chain(members: Sequence[Job], waits_for: Edges, expected: Mapping[int, float]) -> Chain:
    jobs = {job.pk: job for job in members}
    before = {pk: [other for other in jobs if other in waits_for.get(pk, ())] for pk in jobs}
    ordered = _in_order(before)
    ends: dict[int, float] = {}
    links = []
    for pk in ordered:
        start = max((ends[other] for other in before[pk]), default=0.0)
        ends[pk] = start + expected.get(pk, 0.0)
        links.append(Link(jobs[pk], [jobs[other] for other in before[pk]], expected.get(pk), start))
    path = [jobs[pk] for pk in _longest(ends, before)]
    return Chain(links, path, max(ends.values(), default=0.0), [job for pk, job in jobs.items() if pk not in ends])


def _in_order(before: Mapping[int, Sequence[int]]) -> list[int]:
    """Each after those it waits for; what is in a circle, or waits for one, is left out."""
    left = {pk: len(others) for pk, others in before.items()}
    after: dict[int, list[int]] = {}
    for pk, others in before.items():
        for other in others:
            after.setdefault(other, []).append(pk)
    ready = [pk for pk, count in left.items() if count == 0]
    for pk in ready:  # grows while it is read
        for follower in after.get(pk, ()):
            left[follower] -= 1
            if left[follower] == 0:
                ready.append(follower)
    return ready


def _longest(ends: Mapping[int, float], before: Mapping[int, Sequence[int]]) -> list[int]:
    """Backwards from what ends last, each time to what let it start last."""
    if not ends:
        return []
    path = [max(reversed([*ends]), key=lambda pk: ends[pk])]  # of several, the one with most before it
    while others := before[path[-1]]:
        path.append(max(others, key=lambda pk: ends[pk]))
    return path[::-1]


def in_words(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return f"{seconds:.1f} s" if seconds < 60 else str(dt.timedelta(seconds=round(seconds)))

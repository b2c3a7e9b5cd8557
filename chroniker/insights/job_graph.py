"""The graph of dependencies and triggers with the state of each job, or a part of it that can be drawn. Read-only."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, Value

from chroniker.eligibility import due
from chroniker.insights.dependency_graph import connected_parts, find_critical_path, reachable_jobs
from chroniker.insights.job_nodes import JobNode, fetch_nodes
from chroniker.models import Job, JobDependency, JobTrigger

#: Dependencies that are read. In a larger graph, only the part around a chosen job is complete.
MAX_LINKS = 20_000
#: Jobs in one picture.
MAX_NODES = 150


@dataclass(frozen=True, slots=True)
class GraphLink:
    """The dependent waits for the dependee, or is started by it."""

    dependee_id: int
    dependent_id: int
    waits_for_success: bool
    waits_for_end: bool
    waits_for_turn: bool  #: until the scheduled times of the dependee have run
    is_blocking_now: bool  #: the dependent is due and must wait
    trigger_on: str = ""  #: the result that starts the dependent; empty: a dependency


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """The path through a connected part that takes longest; ``complete``: all its durations are known."""

    job_ids: list[int]
    seconds: float
    complete: bool


@dataclass(frozen=True, slots=True)
class GraphChoice:
    """What is to be drawn: all, or the jobs around one job, of one group, or only what is held back."""

    job_id: int | None = None
    group_id: int | None = None
    only_held: bool = False


@dataclass(slots=True)
class JobGraph:
    nodes: dict[int, JobNode]  #: those to be drawn; larger connected parts first, then by name
    links: list[GraphLink]
    paths: list[CriticalPath]
    dependent_job_count: int  #: all jobs with a dependency or a trigger
    other_job_count: int
    held_job_count: int  #: now, of all jobs
    held_counts_by_blocker: Counter[int]  #: how many jobs each holds back now
    blocker_names: dict[int, str]
    groups: dict[int, tuple[str, int]]  #: by id: its name, and how many jobs its picture shows
    is_partial: bool  #: not everything that was chosen is drawn
    has_unread_links: bool  #: not all dependencies were read: there are more dependent jobs, and fewer others


def read_job_graph(now: dt.datetime, choice: GraphChoice) -> JobGraph:
    """Read the graph. Five statements; with a chosen job in a graph of more than ``MAX_LINKS`` links, nine."""
    rows = _fetch_link_rows(MAX_LINKS + 1)
    everything = {pk for row in rows for pk in row[:2]}
    if has_unread_links := len(rows) > MAX_LINKS:
        rows = rows if choice.job_id is None else _fetch_links_around(choice.job_id)
    blocking = due.find_blocking_dependencies(now, MAX_LINKS)
    links = [
        GraphLink(row[1], row[0], row[2], row[3], row[4], not row[9] and row[:2] in blocking, row[9]) for row in rows
    ]
    groups = _jobs_by_group(rows)
    chosen = _choose_links(links, choice, groups)
    ids = _job_ids_to_draw(chosen, choice)
    shown = [link for link in chosen if link.dependee_id in ids and link.dependent_id in ids]
    held_counts_by_blocker = Counter(dependee for _dependent, dependee in blocking)
    first = [pk for pk, _count in held_counts_by_blocker.most_common(2)]
    found = fetch_nodes(ids | {*first}, {low for low, _high in blocking}, now)
    parts = _connected_parts_in_order(shown, found)
    job_count = Job.objects.count()
    return JobGraph(
        nodes={pk: found[pk] for part in parts for pk in part},
        links=shown,
        paths=[path for part in parts if (path := _critical_path_of(part, shown, found)) and len(path.job_ids) > 1],
        dependent_job_count=len(everything),
        other_job_count=max(job_count - len(everything), 0),
        held_counts_by_blocker=held_counts_by_blocker,
        blocker_names={pk: found[pk].name for pk in first if pk in found},
        groups={pk: (name, len(members)) for pk, (name, members) in groups.items()},
        is_partial=len(shown) < len(chosen) or has_unread_links,
        has_unread_links=has_unread_links,
        held_job_count=len({low for low, _high in blocking}),
    )


def _fetch_link_rows(limit: int, around: Collection[int] | None = None) -> list[Any]:
    """Rows: the later job, the earlier one, the conditions success, end and turn, group and group name of both, and the
    result of a trigger. ``around``: only the links of these jobs. At most ``limit`` dependencies, and triggers.

    Two statements.
    """
    conditions = ("wait_for_success", "wait_for_completion", "wait_for_next_run")
    no = Value(False)
    return [
        *_link_rows_query(JobDependency.objects, "dependent", "dependee", conditions, Value(""), around)[:limit],
        *_link_rows_query(JobTrigger.objects, "target", "source", (no, no, no), "on", around)[:limit],
    ]


def _link_rows_query(
    rows: Any, later_job: str, earlier_job: str, conditions: Any, trigger_on: Any, around: Collection[int] | None
) -> Any:
    if around is not None:
        rows = rows.filter(Q(**{f"{later_job}__in": around}) | Q(**{f"{earlier_job}__in": around}))
    groups = (
        f"{later_job}__group",
        f"{later_job}__group__name",
        f"{earlier_job}__group",
        f"{earlier_job}__group__name",
    )
    return rows.order_by("pk").values_list(later_job, earlier_job, *conditions, *groups, trigger_on)


def _fetch_links_around(job_id: int) -> list[Any]:
    """The links of a job and of its neighbours. Four statements."""
    near = _fetch_link_rows(MAX_NODES, [job_id])
    return _fetch_link_rows(MAX_LINKS, {job_id, *(pk for row in near for pk in row[:2])})


def _jobs_by_group(link_rows: Iterable[Any]) -> dict[int, tuple[str, set[int]]]:
    """By group: its name, and its jobs with their direct neighbours; by name."""
    found: dict[int, tuple[str, set[int]]] = {}
    for row in link_rows:
        for group, name in (row[5:7], row[7:9]):
            if group is not None:
                found.setdefault(group, (name, set()))[1].update(row[:2])
    return dict(sorted(found.items(), key=lambda item: item[1][0]))


def _choose_links(
    links: list[GraphLink], choice: GraphChoice, groups: Mapping[int, tuple[str, set[int]]]
) -> list[GraphLink]:
    if choice.only_held:
        return [link for link in links if link.is_blocking_now]
    if choice.group_id is not None:
        members = groups.get(choice.group_id, ("", set[int]()))[1]
        return [link for link in links if link.dependee_id in members and link.dependent_id in members]
    return links


def _neighbours_by_job(links: Iterable[GraphLink]) -> dict[int, set[int]]:
    near: dict[int, set[int]] = {}
    for link in links:
        near.setdefault(link.dependee_id, set()).add(link.dependent_id)
        near.setdefault(link.dependent_id, set()).add(link.dependee_id)
    return near


def _job_ids_to_draw(links: list[GraphLink], choice: GraphChoice) -> set[int]:
    """All jobs of these links, or at most ``MAX_NODES`` of them: one connected part, or the nearest to one job."""
    near = _neighbours_by_job(links)
    if choice.job_id is not None:
        part = reachable_jobs(choice.job_id, near) if choice.job_id in near else set()
        return part if len(part) <= MAX_NODES else _nearest_jobs(choice.job_id, near)
    if len(near) <= MAX_NODES:
        return set(near)
    held = {link.dependent_id for link in links if link.is_blocking_now}
    part = max(connected_parts(near, near), key=lambda part: (bool(part & held), len(part)))
    middle = max(part & held or part, key=lambda pk: (len(near[pk]), -pk))
    return part if len(part) <= MAX_NODES else _nearest_jobs(middle, near)


def _nearest_jobs(start: int, neighbours: Mapping[int, Collection[int]]) -> set[int]:
    """The jobs with the shortest distance from ``start``."""
    found = dict.fromkeys([start])
    waiting = [start]
    for pk in waiting:  # the list grows during this loop
        for other in sorted(neighbours[pk]):
            if other not in found and len(found) < MAX_NODES:
                found[other] = None
                waiting.append(other)
    return set(found)


def _connected_parts_in_order(links: list[GraphLink], nodes: Mapping[int, JobNode]) -> list[list[int]]:
    """The connected parts, the largest first, each ordered by name. A job that was deleted meanwhile is left out."""
    near = _neighbours_by_job(link for link in links if link.dependee_id in nodes and link.dependent_id in nodes)
    parts = [sorted(part, key=lambda pk: (nodes[pk].name, pk)) for part in connected_parts(near, near)]
    return sorted(parts, key=lambda part: (-len(part), nodes[part[0]].name))


def _critical_path_of(part: list[int], links: list[GraphLink], nodes: Mapping[int, JobNode]) -> CriticalPath:
    before: dict[int, list[int]] = {pk: [] for pk in part}
    for link in links:
        if link.dependent_id in before and link.dependee_id in before:
            before[link.dependent_id].append(link.dependee_id)
    median_seconds = {pk: seconds for pk in part if (seconds := nodes[pk].median_seconds) is not None}
    median_seconds |= {pk: 0.0 for pk in part if nodes[pk].condition == "disabled"}
    job_ids, seconds = find_critical_path(before, median_seconds)
    return CriticalPath(job_ids, seconds, all(pk in median_seconds for pk in job_ids))

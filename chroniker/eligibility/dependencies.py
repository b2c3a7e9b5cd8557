"""Dependencies between jobs: whether a job's dependees allow it to start. A dependency can delay a run; it never starts
one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from chroniker.models import EVERY_HOST, JobDependency, JobState, Lease, Status, Trigger
from chroniker.models.compiled import ColumnInIds, fetch_rows


class DependencyScope(Enum):
    """The conditions of a dependency that a claim must fulfil."""

    ALL = "all"  #: completion, success, and the dependee's turn
    CURRENT = "current"  #: completion and success; a run without a scheduled time has no turn to wait for
    NONE = "none"


class DependencyEdge(NamedTuple):
    """One dependency, for a claim that has to check it under its locks."""

    dependent_id: int
    dependee_id: int
    wait_for_completion: bool
    has_state: bool  #: whether the dependee was ever booked


@dataclass(frozen=True, slots=True)
class WaitReason:
    """Why a dependency blocks its dependent, for people.

    ``blocks_scheduled_runs_only``: the dependency blocks only runs for an instant.
    """

    text: str
    blocks_scheduled_runs_only: bool = False


def blocked_by_dependency_condition(scope: DependencyScope = DependencyScope.ALL) -> Exists:
    """SQL condition on JobState: some dependee does not fulfil the conditions of ``scope``.

    The dependent's instant is ``next_instant``. A dependee with a schedule error blocks the jobs that wait for its
    turn, because its instants are not known.
    """
    if scope is DependencyScope.NONE:
        return Exists(JobDependency.objects.none())
    unready = _unfulfilled_dependency_condition(scope, OuterRef("next_instant"))
    return Exists(JobDependency.objects.filter(unready, dependent=OuterRef("pk")))


def _unfulfilled_dependency_condition(scope: DependencyScope, instant: OuterRef | F) -> Q:
    # A run of a backfill is for the past: no other job waits for it.
    is_open = Exists(Lease.objects.filter(job=OuterRef("dependee"), slot="").exclude(run__origin=Trigger.BACKFILL))
    unfinished = Q(wait_for_completion=True) & (Q(is_open) | Q(dependee__state__retry_at__isnull=False))
    unsuccessful = Q(wait_for_success=True) & (
        Q(dependee__state=None) | ~Q(dependee__state__last_status=Status.SUCCEEDED)
    )
    if scope is not DependencyScope.ALL:
        return unfinished | unsuccessful
    unaccounted = Q(wait_for_next_run=True) & (
        Q(dependee__state=None) | Q(dependee__state__next_instant__lte=instant) | ~Q(dependee__state__schedule_error="")
    )
    return unfinished | unsuccessful | unaccounted


def unfulfilled_dependencies(scope: DependencyScope, dependents: QuerySet[JobState]) -> QuerySet[JobDependency]:
    """The dependencies of these jobs that do not fulfil the conditions of ``scope``."""
    unready = _unfulfilled_dependency_condition(scope, F("dependent__state__next_instant"))
    return JobDependency.objects.filter(unready, dependent__in=dependents.values("pk"))


def read_dependency_edges(job_ids: Collection[int]) -> list[DependencyEdge]:
    """The dependencies of these jobs. One statement; no statement if there are no jobs."""
    if not job_ids:
        return []
    rows = fetch_rows(_rows_of_dependency_edges, job_ids=list(job_ids))
    return [DependencyEdge(low, high, completion, state is not None) for low, high, completion, state in rows]


def _rows_of_dependency_edges(job_ids: Collection[int]) -> QuerySet[JobDependency, Any]:
    rows = JobDependency.objects.filter(ColumnInIds("dependent", job_ids)).order_by("dependent", "dependee")
    return rows.values_list("dependent", "dependee", "wait_for_completion", "dependee__state")


def read_first_pending_dependee_instants(job_ids: Collection[int], now: dt.datetime) -> dict[int, dt.datetime]:
    """By dependent that waits for another job's scheduled times: the first pending instant of that job, if it has come.
    Only earlier instants of the dependent are ready."""
    return dict(fetch_rows(_select_first_pending_dependee_instants, job_ids=list(job_ids), now=now))


def _select_first_pending_dependee_instants(job_ids: Collection[int], now: dt.datetime) -> QuerySet[JobDependency, Any]:
    waiting = JobDependency.objects.filter(ColumnInIds("dependent", job_ids), wait_for_next_run=True)
    rows = waiting.filter(dependee__state__next_instant__lte=now).values_list("dependent")
    return rows.annotate(Min("dependee__state__next_instant")).order_by("dependent")


def read_reasons_to_wait(job_ids: Collection[int]) -> dict[int, list[WaitReason]]:
    """For people: what each job waits for right now. One statement, however many jobs."""
    unready = (
        JobDependency.objects.filter(
            _unfulfilled_dependency_condition(DependencyScope.ALL, F("dependent__state__next_instant")),
            dependent__in=job_ids,
        )
        .annotate(
            is_running=Exists(
                Lease.objects.filter(job=OuterRef("dependee"), slot="").exclude(run__origin=Trigger.BACKFILL)
            ),
            retrying=F("dependee__state__retry_at"),
            result=F("dependee__state__last_status"),
            dependee_name=F("dependee__name"),
            hostname=F("dependee__hostname"),
        )
        .order_by("dependee__name")
    )
    found: dict[int, list[WaitReason]] = {}
    for dependency in unready:
        found.setdefault(dependency.dependent_id, []).append(_make_wait_reason(dependency))
    return found


def _make_wait_reason(dependency: JobDependency) -> WaitReason:
    row = dependency.__dict__
    name = {"name": row["dependee_name"]}
    if dependency.wait_for_completion and row["is_running"] and row["hostname"] == EVERY_HOST:
        return WaitReason(_("waits for “%(name)s” to end on every host") % name)
    if dependency.wait_for_completion and row["is_running"]:
        return WaitReason(_("waits for “%(name)s” to end") % name)
    if dependency.wait_for_completion and row["retrying"]:
        return WaitReason(_("waits for the retry of “%(name)s”") % name)
    if dependency.wait_for_success and row["result"] != Status.SUCCEEDED:
        return WaitReason(_("waits for “%(name)s” to succeed") % name)
    return WaitReason(
        _("waits for “%(name)s” to run for its due scheduled times") % name, blocks_scheduled_runs_only=True
    )

"""Whether what a job waits for has had its turn. Dependencies gate; they never trigger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

from django.db.models import Exists, F, Min, OuterRef, Q
from django.utils.translation import gettext as _

from chroniker.models import EVERY_HOST, JobDependency, Lease, Status


def blocked(*, for_instant: bool = True) -> Exists:
    """SQL condition on JobState: a job it waits for is not ready.

    The dependent's instant is ``next_instant``. Without an instant (run by hand, retry) only completion and success
    are asked. A job that was set aside blocks those who wait for its turn: nobody knows its instants.
    """
    unready = _unready(for_instant, OuterRef("next_instant"))
    return Exists(JobDependency.objects.filter(unready, dependent=OuterRef("pk")))


def _unready(for_instant: bool, instant: OuterRef | F) -> Q:
    is_open = Exists(Lease.objects.filter(job=OuterRef("dependee"), slot=""))
    unfinished = Q(wait_for_completion=True) & (Q(is_open) | Q(dependee__state__retry_at__isnull=False))
    unsuccessful = Q(wait_for_success=True) & (
        Q(dependee__state=None) | ~Q(dependee__state__last_status=Status.SUCCEEDED)
    )
    if not for_instant:
        return unfinished | unsuccessful
    unaccounted = Q(wait_for_next_run=True) & (
        Q(dependee__state=None) | Q(dependee__state__next_instant__lte=instant) | ~Q(dependee__state__schedule_error="")
    )
    return unfinished | unsuccessful | unaccounted


def ready_until(job_ids: Collection[int], now: dt.datetime) -> dict[int, dt.datetime]:
    """For each dependent whose readiness ends before ``now``: the first instant of a job it waits for that is open."""
    rows = (
        JobDependency.objects.filter(
            dependent__in=job_ids, wait_for_next_run=True, dependee__state__next_instant__lte=now
        )
        .values_list("dependent")
        .annotate(Min("dependee__state__next_instant"))
    )
    return dict(rows.order_by("dependent"))


def reasons(job_ids: Collection[int], *, for_instant: bool = True) -> dict[int, list[str]]:
    """For people: what each job waits for right now, in words. One statement, however many jobs."""
    unready = (
        JobDependency.objects.filter(_unready(for_instant, F("dependent__state__next_instant")), dependent__in=job_ids)
        .annotate(
            is_running=Exists(Lease.objects.filter(job=OuterRef("dependee"), slot="")),
            retrying=F("dependee__state__retry_at"),
            result=F("dependee__state__last_status"),
            dependee_name=F("dependee__name"),
            hostname=F("dependee__hostname"),
        )
        .order_by("dependee__name")
    )
    found: dict[int, list[str]] = {}
    for dependency in unready:
        found.setdefault(dependency.dependent_id, []).append(_in_words(dependency))
    return found


def _in_words(dependency: JobDependency) -> str:
    row = dependency.__dict__
    name = {"name": row["dependee_name"]}
    if dependency.wait_for_completion and row["is_running"] and row["hostname"] == EVERY_HOST:
        return _("waits for “%(name)s” to end on every host") % name
    if dependency.wait_for_completion and row["is_running"]:
        return _("waits for “%(name)s” to end") % name
    if dependency.wait_for_completion and row["retrying"]:
        return _("waits for the retry of “%(name)s”") % name
    if dependency.wait_for_success and row["result"] != Status.SUCCEEDED:
        return _("waits for “%(name)s” to succeed") % name
    return _("waits for the turn of “%(name)s”") % name


def find_cycle(dependent_id: int, dependee_ids: Iterable[int]) -> list[int] | None:
    """The circle that these dependencies would close, as job ids from the dependent back to itself; or ``None``."""
    edges: dict[int, list[int]] = {}
    for low, high in JobDependency.objects.exclude(dependent=dependent_id).values_list("dependent", "dependee"):
        edges.setdefault(low, []).append(high)
    path_to = {dependee: [dependent_id, dependee] for dependee in dependee_ids}
    waiting = list(path_to)
    while waiting:
        job_id = waiting.pop()
        if job_id == dependent_id:
            return path_to[job_id]
        for dependee in edges.get(job_id, []):
            if dependee not in path_to:
                path_to[dependee] = [*path_to[job_id], dependee]
                waiting.append(dependee)
    return None

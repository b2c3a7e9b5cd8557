"""Groups with a limit: how many of their jobs are claimed or running, and which groups have no room."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext as _

from chroniker.models import Group, Job, Lease
from chroniker.models.compiled import AnyOf, Given, fetch

#: Jobs that a reason names; the others are only counted.
MOST_NAMED = 5


def paused_ids() -> list[int]:
    """The groups that are paused. One statement."""
    return [pk for (pk,) in fetch(_paused_rows)]


def closed_ids() -> list[int]:
    """The groups of ``closed_groups``. One statement.

    Jobs of full groups are left out of what is due: else a backlog of theirs would fill batch after batch in which
    nothing can be claimed.
    """
    return [pk for (pk,) in fetch(_closed_rows)]


def is_outside(ids: Collection[int] | Given) -> Q:
    """Condition on JobState or Lease: the job has no group, or one that is none of these.

    Groups are few, so a statement of their own reads them at once. As a join in the search for due jobs they mislead
    PostgreSQL: it estimates a condition on the outer side of a join as rare, and reads all jobs.
    """
    return Q(job__group=None) | ~Q(AnyOf("job__group", ids)) if ids else Q()


def _paused_rows() -> QuerySet[Group, Any]:
    return Group.objects.filter(paused_at__isnull=False).order_by("pk").values_list("pk")


def _closed_rows() -> QuerySet[Group, Any]:
    return closed_groups().order_by("pk").values_list("pk")


def closed_groups() -> QuerySet[Group]:
    """The groups that are paused or full."""
    leases = Lease.objects.filter(slot="", job__group__limit__isnull=False).order_by()
    counted = leases.values("job__group").annotate(n=Count("pk")).filter(n__gte=F("job__group__limit"))
    return Group.objects.filter(Q(paused_at__isnull=False) | Q(pk__in=counted.values("job__group")))


def limited_groups(jobs: Iterable[Job]) -> set[int]:
    """The groups of these jobs that have a limit. Each job must carry its group."""
    return {job.group.pk for job in jobs if job.group is not None and job.group.limit is not None}


def open_jobs(group_ids: Collection[int]) -> dict[int, int]:
    """The number of claimed or running jobs of each group; a group with none is left out."""
    return dict(fetch(_open_jobs_by_group, ids=list(group_ids))) if group_ids else {}


def _open_jobs_by_group(ids: Collection[int] | Given) -> QuerySet[Lease, Any]:
    leases = Lease.objects.filter(AnyOf("job__group", ids), slot="").order_by()
    return leases.values_list("job__group").annotate(Count("pk"))


def free_places(jobs: Iterable[Job]) -> dict[int, int]:
    """The number of jobs that may be claimed now, for each of their groups with a limit. Each must carry its group."""
    limits = {job.group.pk: job.group.limit for job in jobs if job.group is not None and job.group.limit is not None}
    taken = open_jobs(limits) if limits else {}
    return {pk: max(0, limit - taken.get(pk, 0)) for pk, limit in limits.items()}


def full_groups(group_ids: Iterable[int]) -> dict[int, str]:
    """For people: which of these groups are full, and of which jobs. Two statements, none for no groups."""
    ids = set(group_ids)
    groups = list(Group.objects.filter(pk__in=ids, limit__isnull=False)) if ids else []
    if not groups:
        return {}
    names: dict[int, list[str]] = {}
    leases = Lease.objects.filter(slot="", job__group__in=groups).order_by("job__name")
    for pk, name in leases.values_list("job__group", "job__name"):
        names.setdefault(pk, []).append(name)
    return {group.pk: text for group in groups if (text := _full_group_text(group, names.get(group.pk, [])))}


def _full_group_text(group: Group, running: list[str]) -> str:
    if group.limit is None or len(running) < group.limit:
        return ""
    shown = ", ".join(running[:MOST_NAMED])
    if (more := len(running) - MOST_NAMED) > 0:
        shown = _("%(names)s and %(n)d more") % {"names": shown, "n": more}
    words = {"group": group, "n": len(running), "limit": group.limit, "names": shown}
    return _("its group “%(group)s” is full (%(n)d of %(limit)d: %(names)s)") % words

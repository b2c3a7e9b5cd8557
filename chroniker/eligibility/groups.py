"""Groups with a limit: how many of their jobs are claimed or running, and which groups have no room.

Read-only; ``lifecycle.admission`` enforces the limit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext as _

from chroniker.models import Group, Job, Lease
from chroniker.models.compiled import ColumnInIds, QueryParameter, fetch_rows

#: A text names at most this many jobs, and counts the others.
MAX_JOBS_IN_REASON = 5


def read_paused_group_ids() -> list[int]:
    """The groups that are paused. One statement."""
    return [pk for (pk,) in fetch_rows(_rows_of_paused_groups)]


def read_paused_or_full_group_ids() -> list[int]:
    """The groups of ``paused_or_full_groups``. One statement.

    The search for due jobs leaves out the jobs of full groups. Otherwise their waiting jobs could fill each batch, and
    nothing could be claimed.
    """
    return [pk for (pk,) in fetch_rows(_rows_of_paused_or_full_groups)]


def not_in_groups_condition(group_ids: Collection[int] | QueryParameter) -> Q:
    """Condition on JobState or Lease: the job is in none of these groups.

    There are few groups, so one statement reads their ids first. A join with groups in the search for due jobs would
    mislead PostgreSQL: it estimates that a condition on the outer side of a join is rare, and reads all jobs.
    """
    return Q(job__group=None) | ~Q(ColumnInIds("job__group", group_ids)) if group_ids else Q()


def _rows_of_paused_groups() -> QuerySet[Group, Any]:
    return Group.objects.filter(paused_at__isnull=False).order_by("pk").values_list("pk")


def _rows_of_paused_or_full_groups() -> QuerySet[Group, Any]:
    return paused_or_full_groups().order_by("pk").values_list("pk")


def paused_or_full_groups() -> QuerySet[Group]:
    """The groups that are paused or full."""
    leases = Lease.objects.filter(slot="", job__group__limit__isnull=False).order_by()
    counted = leases.values("job__group").annotate(n=Count("pk")).filter(n__gte=F("job__group__limit"))
    return Group.objects.filter(Q(paused_at__isnull=False) | Q(pk__in=counted.values("job__group")))


def groups_with_limit(jobs: Iterable[Job]) -> set[int]:
    """The groups of these jobs that have a limit. Each job must carry its group."""
    return {job.group.pk for job in jobs if job.group is not None and job.group.limit is not None}


def count_open_jobs(group_ids: Collection[int]) -> dict[int, int]:
    """The number of claimed or running jobs of each group; a group with none is left out."""
    return dict(fetch_rows(_open_jobs_by_group, ids=list(group_ids))) if group_ids else {}


def _open_jobs_by_group(ids: Collection[int] | QueryParameter) -> QuerySet[Lease, Any]:
    leases = Lease.objects.filter(ColumnInIds("job__group", ids), slot="").order_by()
    return leases.values_list("job__group").annotate(Count("pk"))


def full_group_texts(group_ids: Iterable[int]) -> dict[int, str]:
    """For people: a text for each of these groups that is full. It names the jobs. At most two statements."""
    ids = set(group_ids)
    groups = list(Group.objects.filter(pk__in=ids, limit__isnull=False)) if ids else []
    if not groups:
        return {}
    names: dict[int, list[str]] = {}
    leases = Lease.objects.filter(slot="", job__group__in=groups).order_by("job__name")
    for pk, name in leases.values_list("job__group", "job__name"):
        names.setdefault(pk, []).append(name)
    return {group.pk: text for group in groups if (text := _full_group_text(group, names.get(group.pk, [])))}


def _full_group_text(group: Group, open_job_names: list[str]) -> str:
    if group.limit is None or len(open_job_names) < group.limit:
        return ""
    shown = ", ".join(open_job_names[:MAX_JOBS_IN_REASON])
    if (more := len(open_job_names) - MAX_JOBS_IN_REASON) > 0:
        shown = _("%(names)s and %(n)d more") % {"names": shown, "n": more}
    words = {"group": group, "n": len(open_job_names), "limit": group.limit, "names": shown}
    return _("its group “%(group)s” is full (%(n)d of %(limit)d: %(names)s)") % words

"""Selects the plans of a batch that may be written together: group limits and dependencies within the batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chroniker.eligibility import groups
from chroniker.eligibility.dependencies import DependencyEdge
from chroniker.lifecycle.planned_rows import Plan
from chroniker.lifecycle.transactions import lock_rows
from chroniker.models import Group

#: By group: its limit, read under the lock. None: the limit was removed after the plan was computed.
LimitByGroup = dict[int, int | None]


def lock_group_limits(plans: Iterable[Plan], *, skip_locked: bool) -> LimitByGroup:
    """Lock the groups with a limit that these plans need; returns their limits.

    Every claimer for such a group counts and inserts under the lock of the group's row. These are the first locks of a
    claim, before JobState. With ``skip_locked``, a group that another transaction has locked has the limit 0: that
    claimer does the work. One statement; none where no plan needs such a group.
    """
    ids = groups.groups_with_limit(plan.job for plan in plans if plan.claimed_run)
    if not ids:
        return {}
    found: LimitByGroup = dict(lock_rows(Group.objects.filter(pk__in=ids), skip=skip_locked).values_list("pk", "limit"))
    return {pk: found.get(pk, 0) for pk in ids}


def count_free_places(limits: LimitByGroup) -> dict[int, int]:
    """How many jobs of each group may be claimed now; a group whose limit was removed is left out. One statement. A
    lease that is closed meanwhile can only free a place.

    Call it when all locks of the claim are held. At REPEATABLE READ the first plain read of a transaction fixes
    what its later reads see, so it must come after the last wait for a lock.
    """
    taken = groups.count_open_jobs([pk for pk, limit in limits.items() if limit])
    return {pk: max(0, limit - taken.get(pk, 0)) for pk, limit in limits.items() if limit is not None}


def select_plans_to_write(
    plans: Sequence[Plan], edges: Iterable[DependencyEdge], free_places: dict[int, int]
) -> list[Plan]:
    """The plans that may be written together. If they were claimed one by one, the result would be the same. Pure.

    A plan is left out if its group has no free place, or if it waits for the end of a job that an earlier plan opens.
    A group that ``free_places`` does not contain has room for all.
    """
    waits_for: dict[int, set[int]] = {}
    for edge in edges:
        if edge.wait_for_completion:
            waits_for.setdefault(edge.dependent_id, set()).add(edge.dependee_id)
    free, opened, admitted = dict(free_places), set[int](), []
    for plan in plans:
        group = plan.job.group_id if plan.claimed_run else None
        if waits_for.get(plan.job_id, set()) & opened and plan.opened_runs:
            continue
        if group is not None and group in free:
            if not free[group]:
                continue
            free[group] -= 1
        admitted.append(plan)
        if plan.opened_runs and plan.backfill is None:  # other jobs do not wait for a run of a backfill
            opened.add(plan.job_id)
    return admitted

"""The limit of a group, kept by a lock on its row: whoever claims for a group counts and inserts under it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chroniker.eligibility import groups
from chroniker.lifecycle.plan import Plan
from chroniker.lifecycle.transactions import locked
from chroniker.models import Group


def lock_and_count_free(plans: Iterable[Plan], *, skip: bool) -> dict[int, int]:
    """Lock the groups with a limit that these plans need; how many jobs each may claim now.

    The first locks of a claim, before JobState: what another claimer inserted under the lock is then committed before
    the transaction reads anything. A group that somebody else holds has no room now, if ``skip``: that claimer does
    the work. Two statements; none where no plan needs such a group. Leases that are closed meanwhile only make room.
    """
    ids = groups.limited_groups(plan.state.job for plan in plans if plan.claimed)
    if not ids:
        return {}
    limits = dict(locked(Group.objects.filter(pk__in=ids), skip=skip).values_list("pk", "limit"))
    taken = groups.open_jobs(list(limits))
    return {pk: _left(limits[pk], taken.get(pk, 0)) if pk in limits else 0 for pk in ids}


def _left(limit: int | None, taken: int) -> int:
    return 2**31 if limit is None else max(0, limit - taken)  # it may have been lifted since it was read


def within_limit(mine: list[Plan], plans: Sequence[Plan], room: dict[int, int]) -> list[Plan]:
    """Those of ``mine`` that there is room for: first come, first served, in the order of ``plans``."""
    if not room:
        return mine
    left, kept, ours = dict(room), set(), {plan.state.pk for plan in mine}
    for plan in plans:
        group = plan.state.job.group_id if plan.claimed else None
        if plan.state.pk not in ours:
            continue
        if group is None or group not in left:
            kept.add(plan.state.pk)
        elif left[group] > 0:
            left[group] -= 1
            kept.add(plan.state.pk)
    return [plan for plan in mine if plan.state.pk in kept]

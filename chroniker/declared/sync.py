"""Brings the jobs in the database in line with those declared in code.

A job is known by its name. What a declaration does not decide belongs to people: after the creation ``enabled`` too.
"""

from __future__ import annotations

from collections.abc import Sequence

from chroniker.declared.diff import Change, SyncPlan, plan_changes
from chroniker.declared.loading import DeclaredJob
from chroniker.declared.stored_jobs import read_stored_jobs
from chroniker.lifecycle.transactions import transactional
from chroniker.models import Group, Job, JobDependency
from chroniker.models.schedule_fields import TIMELINE_FIELDS


def plan_sync(declared: Sequence[DeclaredJob], *, adopt: bool = False) -> list[Change]:
    """What ``sync`` would do now. Writes nothing."""
    return plan_changes(declared, read_stored_jobs(declared, lock=False), adopt=adopt).changes


@transactional
def sync(declared: Sequence[DeclaredJob], *, adopt: bool = False) -> list[Change]:
    """Create, update and disable, in one transaction and a constant number of statements; what was done to each job.

    ``adopt``: take over jobs of these names that people made; without it each of them is refused. Several at once take
    turns, and the later ones find nothing left to do. Where nothing differs nothing is written: no job is booked anew.
    """
    found = plan_changes(declared, read_stored_jobs(declared, lock=True), adopt=adopt)
    _create_groups(found.new_groups)
    if found.created:
        Job.objects.bulk_create(found.created)
    _update(found)
    if found.edges:
        _write_dependencies(found)
    return found.changes


def _create_groups(groups: list[Group]) -> None:
    if not groups:
        return
    Group.objects.bulk_create(groups)
    ids = dict(Group.objects.filter(name__in=[group.name for group in groups]).values_list("name", "pk"))
    for group in groups:  # MySQL does not return the ids of the rows it inserts
        group.pk = ids[group.name]


def _update(found: SyncPlan) -> None:
    """Apart, so that only those whose schedule or switch changed are booked anew."""
    booked = [(job, fields) for job, fields in found.updated if fields & TIMELINE_FIELDS]
    others = [(job, fields) for job, fields in found.updated if not fields & TIMELINE_FIELDS]
    for each in (booked, others):
        if each:
            Job.objects.bulk_update([job for job, _ in each], set().union(*(fields for _, fields in each)))


def _write_dependencies(found: SyncPlan) -> None:
    """Those that are there keep their conditions, which people may have changed."""
    there = found.rows.edges
    unwanted = [
        pk
        for name, after in found.edges.items()
        for dependee, pk in there.get(name, {}).items()
        if dependee not in after
    ]
    if unwanted:
        JobDependency.objects.filter(pk__in=unwanted).delete()
    names = {each for name, after in found.edges.items() for each in (name, *after)}
    ids = dict(Job.objects.filter(name__in=names).values_list("name", "pk"))
    JobDependency.objects.bulk_create(
        JobDependency(dependent_id=ids[name], dependee_id=ids[dependee])
        for name, after in found.edges.items()
        for dependee in dict.fromkeys(after)
        if dependee not in there.get(name, {})
    )

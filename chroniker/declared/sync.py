"""Synchronises the jobs in the database with the declarations.

Jobs are matched by name. Fields that are not declared are edited in the admin; so is ``enabled`` after the creation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chroniker.declared.diff import JobChange, JobChangeKind, SyncPlan, plan_changes
from chroniker.declared.loading import DeclaredJob
from chroniker.declared.stored_jobs import read_stored_jobs
from chroniker.lifecycle.transactions import transactional
from chroniker.models import Action, AuditEntry, Group, Job, JobDependency, JobTrigger, Tag
from chroniker.models.schedule_fields import FIELDS_THAT_CAUSE_BOOKING


def plan_sync(declared: Sequence[DeclaredJob], *, adopt: bool = False) -> list[JobChange]:
    """The changes that ``sync_declared_jobs`` would make. Writes nothing."""
    return plan_changes(declared, read_stored_jobs(declared, lock=False), adopt=adopt).changes


@transactional
def sync_declared_jobs(declared: Sequence[DeclaredJob], *, by: str, adopt: bool = False) -> list[JobChange]:
    """Create, update and disable jobs in one transaction and a constant number of statements. Returns the changes.

    ``adopt``: take over jobs with these names that were created by hand; without it they are refused. Concurrent syncs
    wait for each other. Unchanged jobs are not written, so they are not booked again. ``by``: the actor of the
    audit entry that each change gets.
    """
    plan = plan_changes(declared, read_stored_jobs(declared, lock=True), adopt=adopt)
    _create_groups(plan.new_groups)
    if plan.created:
        Job.objects.bulk_create(plan.created)
    _update_jobs(plan)
    if plan.new_dependee_names:
        _write_dependencies(plan)
    if plan.triggers:
        _write_triggers(plan)
    if plan.channels:
        _write_many_to_many_rows("channels", plan.channels, plan.stored.channel_ids)
    if plan.tags:
        names = {name for each in plan.tags.values() for name in each}
        _write_many_to_many_rows("tags", plan.tags, {tag.name: tag.pk for tag in Tag.objects.get_or_create_tags(names)})
    _record_in_audit(by, plan.changes)
    return plan.changes


def _record_in_audit(by: str, changes: Sequence[JobChange]) -> None:
    made = {each.name: each for each in changes if each.kind not in (JobChangeKind.REFUSED, JobChangeKind.UNCHANGED)}
    if made:
        jobs = [(job, made[job.name]) for job in Job.objects.filter(name__in=made).only("name")]
        rows = [(job, {"details": "; ".join(filter(None, (each.kind, each.details)))}) for job, each in jobs]
        AuditEntry.objects.record_each(by, Action.SYNCHRONISED, rows)


def _create_groups(groups: list[Group]) -> None:
    if not groups:
        return
    Group.objects.bulk_create(groups)
    ids = dict(Group.objects.filter(name__in=[group.name for group in groups]).values_list("name", "pk"))
    for group in groups:  # MySQL does not return the ids of the rows it inserts
        group.pk = ids[group.name]


def _update_jobs(plan: SyncPlan) -> None:
    """In two groups, so that only jobs with a changed schedule or ``enabled`` are booked again."""
    booked = [(job, fields) for job, fields in plan.updated if fields & FIELDS_THAT_CAUSE_BOOKING]
    others = [(job, fields) for job, fields in plan.updated if not fields & FIELDS_THAT_CAUSE_BOOKING]
    for each in (booked, others):
        if each:
            Job.objects.bulk_update([job for job, _ in each], set().union(*(fields for _, fields in each)))


def _write_many_to_many_rows(
    field: str, wanted_names: Mapping[str, Sequence[str]], ids_by_name: Mapping[str, int]
) -> None:
    """``wanted_names``: by the name of the job, the names of the rows it gets. ``ids_by_name``: their ids by name."""
    relation: Any = Job._meta.get_field(field)
    links, column = relation.remote_field.through, f"{relation.m2m_reverse_field_name()}_id"
    ids = dict(Job.objects.filter(name__in=wanted_names).values_list("name", "pk"))
    links._default_manager.filter(job__in=ids.values()).delete()
    links._default_manager.bulk_create(
        links(job_id=ids[name], **{column: ids_by_name[each]})
        for name, names in wanted_names.items()
        for each in dict.fromkeys(names)
    )


def _write_dependencies(plan: SyncPlan) -> None:
    """Existing dependencies keep their conditions, which may have been edited."""
    existing = plan.stored.dependency_ids
    unwanted = [
        pk
        for name, after in plan.new_dependee_names.items()
        for dependee, pk in existing.get(name, {}).items()
        if dependee not in after
    ]
    if unwanted:
        JobDependency.objects.filter(pk__in=unwanted).delete()
    names = {each for name, after in plan.new_dependee_names.items() for each in (name, *after)}
    ids = dict(Job.objects.filter(name__in=names).values_list("name", "pk"))
    JobDependency.objects.bulk_create(
        JobDependency(dependent_id=ids[name], dependee_id=ids[dependee])
        for name, after in plan.new_dependee_names.items()
        for dependee in dict.fromkeys(after)
        if dependee not in existing.get(name, {})
    )


def _write_triggers(plan: SyncPlan) -> None:
    """The triggers of each of these targets become those that are declared."""
    names = {each for name, sources in plan.triggers.items() for each in (name, *sources)}
    ids = dict(Job.objects.filter(name__in=names).values_list("name", "pk"))
    JobTrigger.objects.filter(target__in=[ids[name] for name in plan.triggers]).delete()
    JobTrigger.objects.bulk_create(
        JobTrigger(source_id=ids[source], target_id=ids[name], on=on)
        for name, sources in plan.triggers.items()
        for source, on in sources.items()
    )

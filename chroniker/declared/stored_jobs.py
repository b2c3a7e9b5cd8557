"""Reads the rows that a sync needs, in a constant number of statements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from chroniker.declared.loading import DeclaredJob
from chroniker.lifecycle.transactions import lock_rows
from chroniker.models import Calendar, Channel, Group, Job, JobDependency, JobTrigger


@dataclass(slots=True)
class StoredJobs:
    """Rows by name. Jobs are those that are declared, their dependees, and those that were declared before."""

    jobs: dict[str, Job]
    groups: dict[str, Group] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    channel_ids: dict[str, int] = field(default_factory=dict)  #: name -> id
    job_channels: dict[str, set[str]] = field(default_factory=dict)  #: name of the job -> names of its channels
    job_tags: dict[str, set[str]] = field(default_factory=dict)  #: name of the job -> names of its tags
    dependency_ids: dict[str, dict[str, int]] = field(default_factory=dict)  #: dependent -> dependee -> id
    triggers: dict[str, dict[str, JobTrigger]] = field(default_factory=dict)  #: target -> source -> trigger

    def names_of_upstream_jobs(self, name: str) -> set[str]:
        """The jobs that this one waits for, and those that start it."""
        return {*self.dependency_ids.get(name, ()), *self.triggers.get(name, ())}


def read_stored_jobs(declared: Sequence[DeclaredJob], *, lock: bool) -> StoredJobs:
    """``lock``: lock the jobs until the end of the transaction, so that concurrent syncs wait for each other."""
    names = {name for one in declared for name in (one.name, *one.upstream_job_names)}
    jobs = Job.objects.filter(Q(name__in=names) | ~Q(managed_by="")).order_by("pk")
    stored = StoredJobs({job.name: job for job in (lock_rows(jobs, skip=False) if lock else jobs)})
    if any("group" in one.related_row_names for one in declared):
        stored.groups = {group.name: group for group in Group.objects.all()}
    if any("calendar" in one.related_row_names for one in declared):
        stored.calendars = {calendar.name: calendar for calendar in Calendar.objects.all()}
    if any(one.channels is not None for one in declared):
        stored.channel_ids = dict(Channel.objects.values_list("name", "pk"))
        stored.job_channels = _names_of_related_rows_by_job("channels", names)
    if any(one.tags is not None for one in declared):
        stored.job_tags = _names_of_related_rows_by_job("tags", names)
    if any(one.after is not None or one.triggered_by is not None for one in declared):
        dependencies = JobDependency.objects.values_list("dependent__name", "dependee__name", "pk")
        for dependent, dependee, pk in dependencies:
            stored.dependency_ids.setdefault(dependent, {})[dependee] = pk
        for trigger in JobTrigger.objects.select_related("source", "target"):
            stored.triggers.setdefault(trigger.target.name, {})[trigger.source.name] = trigger
    return stored


def _names_of_related_rows_by_job(field: str, names: Collection[str]) -> dict[str, set[str]]:
    """By the name of each of these jobs: the names of the rows in this field."""
    found: dict[str, set[str]] = {}
    rows = Job.objects.filter(name__in=names, **{f"{field}__isnull": False})
    for name, linked in rows.values_list("name", f"{field}__name"):
        found.setdefault(name, set()).add(linked)
    return found

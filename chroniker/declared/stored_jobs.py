"""What the database has of what is declared: read in a few statements, however many jobs are declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from chroniker.declared.loading import DeclaredJob
from chroniker.lifecycle.transactions import locked
from chroniker.models import Calendar, Group, Job, JobDependency


@dataclass(slots=True)
class StoredJobs:
    """By name. Of jobs: those that are declared, those that these wait for, and those that were declared once."""

    jobs: dict[str, Job]
    groups: dict[str, Group] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    edges: dict[str, dict[str, int]] = field(default_factory=dict)  #: dependent -> dependee -> id of the dependency


def read_stored_jobs(declared: Sequence[DeclaredJob], *, lock: bool) -> StoredJobs:
    """``lock``: hold the jobs until the end of the transaction, so that several at once come one after the other."""
    names = {name for one in declared for name in (one.name, *(one.after or ()))}
    jobs = Job.objects.filter(Q(name__in=names) | ~Q(managed_by="")).order_by("pk")
    rows = StoredJobs({job.name: job for job in (locked(jobs, skip=False) if lock else jobs)})
    if any("group" in one.related for one in declared):
        rows.groups = {group.name: group for group in Group.objects.all()}
    if any("calendar" in one.related for one in declared):
        rows.calendars = {calendar.name: calendar for calendar in Calendar.objects.all()}
    if any(one.after is not None for one in declared):
        dependencies = JobDependency.objects.values_list("dependent__name", "dependee__name", "pk")
        for dependent, dependee, pk in dependencies:
            rows.edges.setdefault(dependent, {})[dependee] = pk
    return rows

"""Computes the changes from the database to the declarations. Changes objects in memory; writes nothing."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from chroniker.declared.conflicts import find_refused_declarations
from chroniker.declared.loading import DeclaredJob
from chroniker.declared.stored_jobs import StoredJobs
from chroniker.models import Group, Job

#: Fields whose values are not shown: the details are printed and kept in the audit.
CONFIDENTIAL_FIELDS = frozenset({"environment", "secrets"})


class JobChangeKind(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    TAKEN_OVER = "taken over"
    RETURNED = "declared again"
    REMOVED = "removed"
    REFUSED = "refused"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class JobChange:
    """The change of one job."""

    name: str
    kind: JobChangeKind
    details: str = ""


@dataclass(slots=True)
class SyncPlan:
    """The changes of all jobs."""

    stored: StoredJobs
    changes: list[JobChange] = field(default_factory=list)
    created: list[Job] = field(default_factory=list)
    updated: list[tuple[Job, set[str]]] = field(default_factory=list)
    new_groups: list[Group] = field(default_factory=list)
    channels: dict[str, tuple[str, ...]] = field(default_factory=dict)  #: of jobs whose channels change
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)  #: likewise
    new_dependee_names: dict[str, tuple[str, ...]] = field(default_factory=dict)  #: of jobs whose dependencies change
    triggers: dict[str, Mapping[str, str]] = field(default_factory=dict)  #: likewise, by target: source and result

    def add_creation(self, declared_job: DeclaredJob) -> None:
        job = declared_job.job
        for name, value in declared_job.related_row_names.items():
            setattr(job, name, self._find_or_create_related_row(name, value))
        if declared_job.after:
            self.new_dependee_names[job.name] = declared_job.after
        if declared_job.triggered_by:
            self.triggers[job.name] = declared_job.triggered_by
        if declared_job.channels:
            self.channels[job.name] = declared_job.channels
        if declared_job.tags:
            self.tags[job.name] = declared_job.tags
        self.created.append(job)
        self.changes.append(JobChange(job.name, JobChangeKind.CREATED, "" if job.enabled else "disabled, as declared"))

    def add_update(self, declared_job: DeclaredJob) -> None:
        job = self.stored.jobs[declared_job.name]
        kind = JobChangeKind.UPDATED if job.managed_by else JobChangeKind.TAKEN_OVER
        details = self._set_field(job, "managed_by", declared_job.dotted_path)
        if job.enabled_when_removed is not None:
            kind = JobChangeKind.RETURNED
            if job.enabled_when_removed:
                details |= self._set_field(job, "enabled", True)
            details |= self._set_field(job, "enabled_when_removed", None)
        for name in sorted(declared_job.fields):
            details |= self._set_field(job, name, getattr(declared_job.job, name))
        for name, value in declared_job.related_row_names.items():
            details |= self._set_relation(job, name, value)
        fields = set(details)
        stored_after = self.stored.dependency_ids.get(job.name, {}).keys()
        if declared_job.after is not None and set(declared_job.after) != stored_after:
            self.new_dependee_names[job.name] = declared_job.after
            details["after"] = f"waits for {', '.join(declared_job.after) or 'none'}"
        stored = {name: str(each.on) for name, each in self.stored.triggers.get(job.name, {}).items()}
        if declared_job.triggered_by is not None and {**declared_job.triggered_by} != stored:
            self.triggers[job.name] = declared_job.triggered_by
            words = ", ".join(f"{name} ({on})" for name, on in declared_job.triggered_by.items())
            details["triggered_by"] = f"started by {words or 'none'}"
        if declared_job.channels is not None and set(declared_job.channels) != self.stored.job_channels.get(
            job.name, set()
        ):
            self.channels[job.name] = declared_job.channels
            details["channels"] = f"channels: {', '.join(declared_job.channels) or 'none'}"
        if declared_job.tags is not None and set(declared_job.tags) != self.stored.job_tags.get(job.name, set()):
            self.tags[job.name] = declared_job.tags
            details["tags"] = f"tags: {' '.join(declared_job.tags) or 'none'}"
        if fields:
            self.updated.append((job, fields))
        if details:
            self.changes.append(JobChange(job.name, kind, "; ".join(details.values())))
        else:
            self.changes.append(JobChange(job.name, JobChangeKind.UNCHANGED))

    def add_removal(self, job: Job) -> None:
        """Its declaration was removed: disable the job, and keep it and its runs."""
        verb = "disabled" if job.enabled else "already disabled"
        job.enabled_when_removed, job.enabled = job.enabled, False
        self.updated.append((job, {"enabled", "enabled_when_removed"}))
        self.changes.append(
            JobChange(job.name, JobChangeKind.REMOVED, f"{verb}; no longer declared in {job.managed_by}")
        )

    def _set_field(self, job: Job, name: str, value: Any) -> dict[str, str]:
        old = getattr(job, name)
        if old == value:
            return {}
        setattr(job, name, value)
        if name in CONFIDENTIAL_FIELDS:
            return {name: f"{name}: changed"}
        return {name: f"{name}: {reprlib.repr(old)} → {reprlib.repr(value)}"}

    def _set_relation(self, job: Job, name: str, value: str | None) -> dict[str, str]:
        related = self._find_or_create_related_row(name, value)
        is_new = related is not None and related.pk is None
        if not is_new and getattr(job, f"{name}_id") == (related and related.pk):
            return {}
        setattr(job, name, related)
        return {name: f"{name}: {value!r}"}

    def _find_or_create_related_row(self, name: str, value: str | None) -> Any:
        """The row with this name. A missing group is created; calendars were validated before."""
        if value is None:
            return None
        if name == "calendar":
            return self.stored.calendars[value]
        if value not in self.stored.groups:
            self.new_groups.append(self.stored.groups.setdefault(value, Group(name=value)))
        return self.stored.groups[value]


def plan_changes(declared: Sequence[DeclaredJob], stored: StoredJobs, *, adopt: bool) -> SyncPlan:
    """``adopt``: take over jobs that were created by hand."""
    plan = SyncPlan(stored)
    refused = find_refused_declarations(declared, stored, adopt=adopt)
    for one in declared:
        if one.name in refused:
            plan.changes.append(JobChange(one.name, JobChangeKind.REFUSED, refused[one.name]))
        elif one.name in stored.jobs:
            plan.add_update(one)
        else:
            plan.add_creation(one)
    names = {one.name for one in declared}
    for job in stored.jobs.values():
        if job.is_declared and job.name not in names:
            plan.add_removal(job)
    return plan

"""What differs between the declarations and the database. Pure: changes the rows in memory, and writes none."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from chroniker.declared.conflicts import refusals
from chroniker.declared.loading import DeclaredJob
from chroniker.declared.stored_jobs import StoredJobs
from chroniker.models import Group, Job


class ChangeKind(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    TAKEN_OVER = "taken over"
    RETURNED = "declared again"
    REMOVED = "removed"
    REFUSED = "refused"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one job."""

    name: str
    what: ChangeKind
    details: str = ""


@dataclass(slots=True)
class SyncPlan:
    rows: StoredJobs
    changes: list[Change] = field(default_factory=list)
    created: list[Job] = field(default_factory=list)
    updated: list[tuple[Job, set[str]]] = field(default_factory=list)
    new_groups: list[Group] = field(default_factory=list)
    edges: dict[str, tuple[str, ...]] = field(default_factory=dict)  #: of jobs whose dependencies differ

    def create(self, one: DeclaredJob) -> None:
        job = one.job
        for name, value in one.related.items():
            setattr(job, name, self._related(name, value))
        if one.after:
            self.edges[job.name] = one.after
        self.created.append(job)
        self.changes.append(Change(job.name, ChangeKind.CREATED, "" if job.enabled else "disabled, as declared"))

    def update(self, one: DeclaredJob) -> None:
        job = self.rows.jobs[one.name]
        what = ChangeKind.UPDATED if job.managed_by else ChangeKind.TAKEN_OVER
        details = self._set(job, "managed_by", one.where)
        if job.enabled_when_removed is not None:
            what = ChangeKind.RETURNED
            if job.enabled_when_removed:
                details |= self._set(job, "enabled", True)
            details |= self._set(job, "enabled_when_removed", None)
        for name in sorted(one.fields):
            details |= self._set(job, name, getattr(one.job, name))
        for name, value in one.related.items():
            details |= self._relate(job, name, value)
        fields = set(details)
        if one.after is not None and set(one.after) != self.rows.edges.get(job.name, {}).keys():
            self.edges[job.name] = one.after
            details["after"] = f"waits for {', '.join(one.after) or 'none'}"
        if fields:
            self.updated.append((job, fields))
        if details:
            self.changes.append(Change(job.name, what, "; ".join(details.values())))
        else:
            self.changes.append(Change(job.name, ChangeKind.UNCHANGED))

    def remove(self, job: Job) -> None:
        """Its declaration is gone: it stays, with its runs, switched off."""
        verb = "disabled" if job.enabled else "disabled already"
        job.enabled_when_removed, job.enabled = job.enabled, False
        self.updated.append((job, {"enabled", "enabled_when_removed"}))
        self.changes.append(Change(job.name, ChangeKind.REMOVED, f"{verb}; no longer declared in {job.managed_by}"))

    def _set(self, job: Job, name: str, value: Any) -> dict[str, str]:
        old = getattr(job, name)
        if old == value:
            return {}
        setattr(job, name, value)
        return {name: f"{name}: {reprlib.repr(old)} → {reprlib.repr(value)}"}

    def _relate(self, job: Job, name: str, value: str | None) -> dict[str, str]:
        related = self._related(name, value)
        is_new = related is not None and related.pk is None
        if not is_new and getattr(job, f"{name}_id") == (related and related.pk):
            return {}
        setattr(job, name, related)
        return {name: f"{name}: {value!r}"}

    def _related(self, name: str, value: str | None) -> Any:
        """The row of this name. A group that does not exist is made; a calendar was looked for before."""
        if value is None:
            return None
        if name == "calendar":
            return self.rows.calendars[value]
        if value not in self.rows.groups:
            self.new_groups.append(self.rows.groups.setdefault(value, Group(name=value)))
        return self.rows.groups[value]


def plan_changes(declared: Sequence[DeclaredJob], rows: StoredJobs, *, adopt: bool) -> SyncPlan:
    found = SyncPlan(rows)
    refused = refusals(declared, rows, adopt=adopt)
    for one in declared:
        if one.name in refused:
            found.changes.append(Change(one.name, ChangeKind.REFUSED, refused[one.name]))
        elif one.name in rows.jobs:
            found.update(one)
        else:
            found.create(one)
    names = {one.name for one in declared}
    for job in rows.jobs.values():
        if job.is_declared and job.name not in names:
            found.remove(job)
    return found

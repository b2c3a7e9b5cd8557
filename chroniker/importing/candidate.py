"""A job of another scheduler before, during and after its import."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import Enum

from chroniker.models import Job, JobDependency


class ImportOutcome(Enum):
    IMPORTED = "imported"
    WOULD_BE_IMPORTED = "would be imported"
    IMPORTED_BEFORE = "imported before, unchanged"
    REFUSED = "not imported"


@dataclass(frozen=True, slots=True)
class ImportedHistory:
    """The past runs of the job in the other scheduler."""

    #: Of its past runs; they can be imported after the job.
    importable_run_count: int = 0
    last_status: str = ""
    last_finished_at: dt.datetime | None = None


@dataclass(slots=True)
class ImportCandidate:
    """One job to import, and the result of its import."""

    #: Identifies the job in the other scheduler. The job keeps it, so that a second import recognises the job.
    origin: str
    #: Not saved before the import.
    job: Job
    #: Its schedule in the syntax of the other scheduler.
    schedule_there: str
    #: Its next runs in the other scheduler, in UTC.
    instants_there: list[dt.datetime] = field(default_factory=list)
    #: What works differently here, one sentence each.
    differences: list[str] = field(default_factory=list)
    #: Ids of users.
    subscriber_ids: list[int] = field(default_factory=list)
    #: Since when it has been overdue in the other scheduler. It then runs here once.
    due_since: dt.datetime | None = None
    history: ImportedHistory = ImportedHistory()
    #: Why it cannot be imported.
    refusal: str = ""
    outcome: ImportOutcome = ImportOutcome.REFUSED


@dataclass(slots=True)
class ImportedDependency:
    """``dependent`` waits for ``dependee``."""

    dependent: ImportCandidate
    dependee: ImportCandidate
    conditions: dict[str, bool]

    def to_job_dependency(self) -> JobDependency:
        return JobDependency(dependent=self.dependent.job, dependee=self.dependee.job, **self.conditions)

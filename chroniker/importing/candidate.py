"""A job of another scheduler, on its way here."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import Enum

from chroniker.models import Job, JobDependency


class Outcome(Enum):
    IMPORTED = "imported"
    WOULD_BE = "would be imported"
    ALREADY = "imported before, left as it is"
    REFUSED = "not imported"


@dataclass(frozen=True, slots=True)
class ImportedHistory:
    """What a job did before it came here."""

    #: How many of its runs can be imported after it.
    runs: int = 0
    last_status: str = ""
    last_finished_at: dt.datetime | None = None


@dataclass(slots=True)
class Candidate:
    """What is known of one job before it is imported, and what became of it."""

    #: Where it comes from. The job remembers this, whatever it is renamed to, so that a second import knows it again.
    origin: str
    #: Not saved; after the import the job that is here.
    job: Job
    #: Its schedule, in the words of where it comes from.
    there: str
    #: What it would do there from now on, in UTC.
    instants: list[dt.datetime] = field(default_factory=list)
    #: What has no equivalent here, a sentence each.
    unlike: list[str] = field(default_factory=list)
    #: Ids of users.
    subscribers: list[int] = field(default_factory=list)
    #: It was due there at this moment and has not run: it is to run here, once.
    due_since: dt.datetime | None = None
    past: ImportedHistory = ImportedHistory()
    #: Why it cannot be imported at all.
    refusal: str = ""
    outcome: Outcome = Outcome.REFUSED


@dataclass(slots=True)
class ImportedDependency:
    """That one imported job waits for another."""

    dependent: Candidate
    dependee: Candidate
    conditions: dict[str, bool]

    def row(self) -> JobDependency:
        return JobDependency(dependent=self.dependent.job, dependee=self.dependee.job, **self.conditions)

"""The list of runs: filtered, newest first, page by page along a key. Nothing is counted beyond a small limit."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from django.db.models import F, QuerySet

from chroniker.clock.database_clock import NowPlus
from chroniker.models import FAILURE_STATUSES, Job, Run

#: The most jobs that a part of the name selects, and how many of the newest runs of each job are searched.
MAX_JOBS, MAX_NEWEST_RUNS = 50, 2_000
#: The value of ``Filters.status`` for all runs that ended badly.
ANY_BAD_STATUS = "bad"
#: New runs are counted up to this number.
MAX_NEW_RUNS = 100


@dataclass(frozen=True, slots=True)
class RunListPosition:
    """The place of a run in the list: its claim, then its id. Its text is “2026-11-28T09:41:12+00:00~UUID”."""

    claimed_at: dt.datetime
    pk: UUID

    @classmethod
    def of(cls, run: Run) -> Self:
        return cls(run.claimed_at, run.pk)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``. Raises ``ValueError``."""
        moment, _tilde, pk = text.partition("~")
        found = cls(dt.datetime.fromisoformat(moment), UUID(pk))
        if found.claimed_at.tzinfo is None:
            raise ValueError(text)
        return found

    def __str__(self) -> str:
        return f"{self.claimed_at.isoformat()}~{self.pk}"


@dataclass(frozen=True, slots=True)
class RunFilters:
    """``text``: a run's id, which is looked up alone; or a part of a job's name."""

    text: str = ""
    status: str = ""
    trigger: str = ""
    host: str = ""
    since: dt.datetime | None = None
    job: int | None = None
    job_ids: list[int] = field(default_factory=list)  #: those whose name contains the text; at most ``MAX_JOBS``

    @property
    def run_id(self) -> UUID | None:
        try:
            return UUID(self.text.strip())
        except ValueError:
            return None

    @property
    def statuses(self) -> tuple[str, ...]:
        """Empty: all of them. A run's id is looked up alone."""
        if self.run_id is not None:
            return ()
        if self.status == ANY_BAD_STATUS:
            return tuple(FAILURE_STATUSES)
        return (self.status,) if self.status else ()

    @property
    def is_empty(self) -> bool:
        return not any((self.text, self.status, self.trigger, self.host, self.since, self.job))


def job_ids_by_name_part(text: str) -> list[int]:
    """The first jobs whose name contains ``text``. One statement."""
    found = Job.objects.filter(name__icontains=text).order_by("name")
    return list(found.values_list("pk", flat=True)[:MAX_JOBS])


def fetch_older_runs(
    filters: RunFilters, limit: int, before: RunListPosition | None = None, newest: RunListPosition | None = None
) -> list[Run]:
    """Runs, newest first: those after ``before`` in the list, and none newer than ``newest``.

    One statement for each requested status, so that each follows an index; without a status, one.

    Each has its job, and the database's time as ``now``.
    """
    found = [run for status in filters.statuses or ("",) for run in _older_runs(filters, status, limit, before, newest)]
    return sorted(found, key=lambda run: (run.claimed_at, run.pk), reverse=True)[:limit]


def _older_runs(
    filters: RunFilters, status: str, limit: int, before: RunListPosition | None, newest: RunListPosition | None
) -> QuerySet[Run]:
    runs = _matching_runs(filters).select_related("job").annotate(now=NowPlus())
    if newest is not None:
        runs = runs.filter(claimed_at__lte=newest.claimed_at).exclude(claimed_at=newest.claimed_at, pk__gt=newest.pk)
    if before is not None:
        runs = runs.filter(claimed_at__lte=before.claimed_at).exclude(claimed_at=before.claimed_at, pk__gte=before.pk)
    runs = runs.filter(status=status) if status else runs
    return runs.order_by("-claimed_at", "-pk")[:limit]


def count_newer_runs(filters: RunFilters, newest: RunListPosition) -> int:
    """How many matching runs are newer than ``newest``; at most ``MAX_NEW_RUNS``. One statement."""
    runs = _matching_runs(filters)
    runs = runs.filter(status__in=filters.statuses) if filters.statuses else runs
    runs = runs.filter(claimed_at__gte=newest.claimed_at).exclude(claimed_at=newest.claimed_at, pk__lte=newest.pk)
    return runs.order_by()[:MAX_NEW_RUNS].count()


def _matching_runs(filters: RunFilters) -> QuerySet[Run]:
    """Each filter is a condition on an index; a run's id is looked up by the primary key alone."""
    if filters.run_id is not None:
        return Run.objects.filter(pk=filters.run_id)
    runs = Run.objects.all()
    if filters.job is not None:
        runs = _newest_runs_of_jobs(runs, [filters.job])
    if filters.text:
        runs = _newest_runs_of_jobs(runs, filters.job_ids)
    if filters.trigger:
        runs = runs.filter(trigger=filters.trigger)
    if filters.host:
        runs = runs.filter(host=filters.host)
    return runs.filter(claimed_at__gte=filters.since) if filters.since else runs


def _newest_runs_of_jobs(runs: QuerySet[Run], jobs: list[int]) -> QuerySet[Run]:
    """The newest runs of these jobs, along the index of tokens: not all runs between them by time."""
    return runs.filter(job__in=jobs, token__gt=F("job__state__last_token") - MAX_NEWEST_RUNS)

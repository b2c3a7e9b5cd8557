"""Past and open runs of the timeline. Past runs are light rows: thousands of model objects take most of its time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db.models import DateTimeField, F, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from chroniker.models import Lease, Run, Status

#: Runs of any kind among which the past runs are searched.
MAX_RUNS_SEARCHED = 10_000
#: Frequent jobs whose successes are not read one by one.
MAX_FREQUENT_JOBS = 500

_RUN_COLUMNS = ("status", "claimed_at", "started_at", "finished_at", "worker", "host", "executor", "queue")
_JOB_COLUMNS = ("job_id", "job__name", "job__group", "job__group__name", "job__group__limit")


@dataclass(frozen=True, slots=True)
class GroupLabel:
    pk: int
    name: str
    limit: int | None


@dataclass(frozen=True, slots=True)
class JobLabel:
    pk: int
    name: str
    group: GroupLabel | None


class TimelineRun(NamedTuple):  # a picture has thousands, and a frozen dataclass is three times slower
    """A run with the columns that the timeline needs."""

    pk: UUID
    job: JobLabel
    status: str
    claimed_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    worker: str
    host: str
    executor: str
    queue: str
    searched_since: dt.datetime | None = None  #: older runs were not searched; None: all were

    @property
    def job_id(self) -> int:
        return self.job.pk


def open_runs() -> QuerySet[Run]:
    open_ids = Lease.objects.filter(slot="").values("run")
    return Run.objects.filter(pk__in=open_ids).select_related("job__group", "job__state").order_by("claimed_at")


def past_runs_to_draw(since: dt.datetime, frequent_job_ids: Collection[int], limit: int) -> list[TimelineRun]:
    """The newest runs, without skipped ones and without successes of frequent jobs.

    Only the newest ``MAX_RUNS_SEARCHED`` runs of any kind are searched, so that the statement stays bounded.
    """
    newest = Run.objects.order_by("-claimed_at").values("claimed_at")[MAX_RUNS_SEARCHED : MAX_RUNS_SEARCHED + 1]
    bound = Subquery(newest)  # MariaDB returns text for an annotation with Coalesce
    runs = Run.objects.filter(claimed_at__gte=since, parent=None).exclude(status=Status.SKIPPED)
    searched = Coalesce(bound, Value(since, output_field=DateTimeField()))
    runs = runs.filter(claimed_at__gte=searched).annotate(searched_since=bound)
    if frequent_job_ids:
        runs = runs.exclude(Q(status=Status.SUCCEEDED) & Q(job__in=sorted(frequent_job_ids)[:MAX_FREQUENT_JOBS]))
    return list(_read_timeline_runs(runs.order_by("-claimed_at")[:limit]))


def latest_runs_of_frequent_jobs(frequent_job_ids: Collection[int]) -> list[TimelineRun]:
    """The newest runs of frequent jobs, newest first: their successes are not among the past runs."""
    runs = Run.objects.filter(
        job__in=sorted(frequent_job_ids)[:MAX_FREQUENT_JOBS], token__gt=F("job__state__last_token") - 3
    )
    return list(_read_timeline_runs(runs.filter(parent=None, started_at__isnull=False).order_by("-token")))


def _read_timeline_runs(runs: QuerySet[Run]) -> Iterator[TimelineRun]:
    annotated = ["searched_since"] if "searched_since" in runs.query.annotations else []
    jobs: dict[int, JobLabel] = {}
    groups: dict[int, GroupLabel] = {}
    for job_id, name, group_id, group_name, limit, *values in runs.values_list(
        *_JOB_COLUMNS, "pk", *_RUN_COLUMNS, *annotated
    ):
        if job_id not in jobs:
            group = None if group_id is None else groups.setdefault(group_id, GroupLabel(group_id, group_name, limit))
            jobs[job_id] = JobLabel(job_id, name, group)
        yield TimelineRun(values[0], jobs[job_id], *values[1:])

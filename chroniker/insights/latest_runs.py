"""The last runs of many jobs, for one page of a list. One statement, however many jobs and runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Q

from chroniker.models import JobState, Run, Status

LATEST = 20


@dataclass(frozen=True, slots=True)
class PastRun:
    """``seconds``: how long it ran; ``None``: it did not start, or has not ended."""

    pk: UUID
    token: int
    status: str
    seconds: float | None
    host: str
    error_line: str


def latest_runs(states: Collection[JobState]) -> dict[int, list[PastRun]]:
    """By job: its runs among the last ``LATEST`` tokens, the oldest first.

    A range of the unique index on (job, token) for each job: by a join, all runs of the jobs would be read.
    """
    if not states:
        return {}
    ranges = (Q(job=state.pk, token__gt=state.last_token - LATEST) for state in states)
    runs = Run.objects.filter(reduce(or_, ranges), slot="")
    columns = ("job_id", "pk", "token", "status", "started_at", "finished_at", "host", "error_line")
    found: dict[int, list[PastRun]] = {}
    for job_id, pk, token, status, started, finished, host, error in runs.order_by("job_id", "token").values_list(
        *columns
    ):
        seconds = max((finished - started).total_seconds(), 0.0) if started and finished else None
        found.setdefault(job_id, []).append(PastRun(pk, token, status, seconds, host, error))
    return found


def succeeded_and_ended(runs: Collection[PastRun]) -> tuple[int, int]:
    """How many succeeded, of those that ran to an end. Skipped and stopped runs are not counted."""
    ended = [run for run in runs if run.status in (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.LOST)]
    return sum(run.status == Status.SUCCEEDED for run in ended), len(ended)

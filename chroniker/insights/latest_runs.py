"""The last runs of many jobs, for one page of a list. One statement, however many jobs and runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import BooleanField, F, Func

from chroniker.insights.run_durations import SecondsBetween
from chroniker.models import JobState, Run, Status

LATEST_RUN_COUNT = 20


class PastRun(NamedTuple):  # a page has thousands, and a frozen dataclass is three times slower
    """``seconds``: how long it ran; ``None``: it did not start, or has not ended."""

    pk: UUID
    token: int
    status: str
    seconds: float | None
    host: str
    error_line: str


def fetch_latest_runs(states: Collection[JobState]) -> dict[int, list[PastRun]]:
    """By job: its runs among the last ``LATEST_RUN_COUNT`` tokens, the oldest first.

    Reads a range of the unique index on (job, token) for each job. A join would read all runs of the jobs.
    """
    if not states:
        return {}
    runs = Run.objects.filter(_HasOneOfLastTokens(states), slot="").annotate(
        seconds=SecondsBetween("started_at", "finished_at")
    )
    columns = ("job_id", "pk", "token", "status", "seconds", "host", "error_line")
    found: dict[int, list[PastRun]] = {}
    for job_id, pk, token, status, took, *others in runs.order_by("job_id", "token").values_list(*columns):
        seconds = None if took is None else max(float(took), 0.0)
        found.setdefault(job_id, []).append(PastRun(pk, token, status, seconds, *others))
    return found


class _HasOneOfLastTokens(Func):
    """SQL condition: the run has one of the last tokens of one of these jobs. A Q object for each job takes longer than
    the statement."""

    output_field = BooleanField()

    def __init__(self, states: Collection[JobState]) -> None:
        self._after = [(state.pk, state.last_token - LATEST_RUN_COUNT) for state in states]
        super().__init__(F("job_id"), F("token"))

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:  # type: ignore[override]
        job, token = (compiler.compile(each)[0] for each in self.get_source_expressions())
        ranges = (f"{job} = {pk:d} AND {token} > {after:d}" for pk, after in self._after)
        return f"({' OR '.join(ranges)})", ()


def count_succeeded_and_ended(runs: Collection[PastRun]) -> tuple[int, int]:
    """How many succeeded, of those that ran to an end. Skipped and stopped runs are not counted."""
    statuses = [run.status for run in runs]
    good, bad = statuses.count(Status.SUCCEEDED), (Status.FAILED, Status.TIMED_OUT, Status.LOST)
    return good, good + sum(map(statuses.count, bad))

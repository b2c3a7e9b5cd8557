"""The past of a job that was imported: runs that another scheduler made, closed already when they come here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import JobState, LogChunk, Run


def keep_tokens(job_id: int, runs: int, last_status: str, last_finished_at: dt.datetime | None) -> None:
    """Give a new job its state, with the tokens 1 to ``runs`` kept for its past: whatever runs here comes after it.

    Those who wait for its success look at ``last_status``, how it ended last before it came here.
    """
    JobState.objects.create(job_id=job_id, last_token=runs, last_status=last_status, last_finished_at=last_finished_at)


@transactional
def record_history(job_id: int, runs: Sequence[Run], chunks: Iterable[LogChunk]) -> int:
    """Insert closed runs with their output; returns how many. Those with a token that is taken, or that was never
    kept for them, are left out, so that a repeat is harmless."""
    state = locked(JobState.objects.filter(pk=job_id), skip=False).first()
    taken = set(Run.objects.filter(job=job_id, token__in=[run.token for run in runs]).values_list("token", flat=True))
    new = [run for run in runs if state and run.token <= state.last_token and run.token not in taken]
    ids = {run.pk for run in new}
    Run.objects.bulk_create(new)
    LogChunk.objects.bulk_create([chunk for chunk in chunks if chunk.run_id in ids])
    return len(new)

"""Store past runs of an imported job: closed runs that another scheduler executed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from chroniker.lifecycle import job_health
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import JobState, LogChunk, Run, Status


def create_state_with_reserved_tokens(
    job_id: int, past_runs: int, last_status: str, last_finished_at: dt.datetime | None
) -> None:
    """Create the state of a new job and reserve the tokens 1 to ``past_runs`` for its past runs; new runs get later
    tokens.

    ``last_status``: the status of its last past run. Jobs that depend on the success of this job use it.
    """
    JobState.objects.create(
        job_id=job_id, last_token=past_runs, last_status=last_status, last_finished_at=last_finished_at
    )


@transactional
def insert_imported_runs(job_id: int, runs: Sequence[Run], chunks: Iterable[LogChunk]) -> int:
    """Insert closed runs with their output; returns how many. Leaves out runs whose token exists already or was not
    reserved, so that a repeated import is harmless. The job's counters and usual duration include the new ones; the
    failures in a row do not: they count chains of attempts, which the other scheduler did not record."""
    state = lock_rows(JobState.objects.filter(pk=job_id), skip=False).first()
    taken = set(Run.objects.filter(job=job_id, token__in=[run.token for run in runs]).values_list("token", flat=True))
    new = [run for run in runs if state and run.token <= state.last_token and run.token not in taken]
    ids = {run.pk for run in new}
    Run.objects.bulk_create(new)
    LogChunk.objects.bulk_create([chunk for chunk in chunks if chunk.run_id in ids])
    if state and new:
        for run in new:
            job_health.add_run_to_job_counters(state, run)
        job_health.set_recent_durations(state, _read_recent_durations(job_id))
        write_states([state], job_health.RESULT_COLUMNS)
    return len(new)


def _read_recent_durations(job_id: int) -> list[float]:
    """The durations of the newest successful runs, the newest last. Imported runs may be older than stored runs."""
    runs = Run.objects.filter(job=job_id, parent=None, status=Status.SUCCEEDED, started_at__isnull=False)
    newest = runs.order_by("-token").only("started_at", "finished_at")[: job_health.MAX_RECENT_DURATIONS]
    return [seconds for run in reversed(list(newest)) if (seconds := job_health.duration_seconds(run)) is not None]

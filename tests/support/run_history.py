"""Runs that ended long ago, with their output, events and messages."""

from __future__ import annotations

import datetime as dt

from chroniker.clock.database_clock import database_now
from chroniker.models import EventKind, Job, JobState, LogChunk, Outbox, Run, RunEvent, Status, Stream, Trigger

DAY = dt.timedelta(days=1)


def ended(
    job: Job,
    *days_ago: float,
    status: Status = Status.SUCCEEDED,
    slot: str = "",
    parent: Run | None = None,
    took: dt.timedelta = dt.timedelta(seconds=1),
) -> list[Run]:
    """Runs of a booked job that ended these numbers of days ago, the newest last."""
    state, now = JobState.objects.get(pk=job.pk), database_now()
    runs = [
        Run(
            job=job, token=state.last_token + number, slot=slot, parent=parent, status=status, trigger=Trigger.MANUAL,
            claimed_at=now - days * DAY - took, started_at=now - days * DAY - took, finished_at=now - days * DAY,
        )
        for number, days in enumerate(days_ago, 1)
    ]  # fmt: skip
    Run.objects.bulk_create(runs)
    JobState.objects.filter(pk=job.pk).update(last_token=state.last_token + len(runs))
    return runs


def with_related_rows(run: Run, *, chunks: int = 2, sent: bool = True) -> Run:
    """Output, an event and a message of ``run``."""
    now = database_now()
    LogChunk.objects.bulk_create(
        LogChunk(run=run, stream=Stream.STDOUT, seq=seq, text="line\n", written_at=now) for seq in range(chunks)
    )
    RunEvent.objects.create(run=run, at=now, kind=EventKind.NOTE)
    Outbox.objects.create(run=run, channel="mail:7", send_at=None if sent else now, sent_at=now if sent else None)
    return run

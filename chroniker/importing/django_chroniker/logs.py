"""Imports logs of django-chroniker as closed runs with output, in batches. A killed import can be continued."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from itertools import groupby

from django.db.models import Max, QuerySet
from django.utils import timezone

from chroniker import lifecycle
from chroniker.importing.django_chroniker.source import LogIdAndSize, OldDataSource
from chroniker.importing.django_chroniker.tables import OldJob, OldLog
from chroniker.models import Job, LogChunk, Run, Status, Stream, Trigger
from chroniker.reasons import Code, Reason
from chroniker.worker.output import MAX_CHUNK_LENGTH

MAX_LOGS_PER_BATCH, MAX_CHARACTERS_PER_BATCH = 200, 4_000_000
TIMEOUT_TEXT = "Job exceeded timeout"  # written by django-chroniker at the end of stderr
_NUL, _VISIBLE_NUL = "\0", "\u2400"


def count_logs_to_keep(old: OldJob, log_count: int) -> int:
    """The number of logs to import: as many as the job keeps."""
    return min(log_count, old.maximum_log_entries or log_count)


def import_logs_of_job(source: OldDataSource, old: OldJob, job: Job) -> Iterator[int]:
    """Import the logs of one job, the oldest first. Yields the number of runs of each batch.

    Each batch is one transaction. The highest imported token shows which logs are next, so that a killed import
    continues where it stopped, and a complete one does nothing, even if old runs were deleted since.
    """
    sizes = source.log_sizes(old.pk)
    sizes = sizes[len(sizes) - count_logs_to_keep(old, len(sizes)) :]
    done = _imported_runs(job).aggregate(last=Max("token"))["last"] or 0
    for batch in _split_into_batches(list(enumerate(sizes, start=1))[done:]):
        logs = {log.pk: log for log in source.fetch_logs([pk for _token, (pk, _size) in batch])}
        pairs = [(_make_run_from_log(job, token, logs[pk]), logs[pk]) for token, (pk, _size) in batch]
        chunks = [chunk for run, log in pairs for chunk in _chunks_of_log(run, log)]
        yield lifecycle.insert_imported_runs(job.pk, [run for run, _log in pairs], chunks)


def _imported_runs(job: Job) -> QuerySet[Run]:
    """The imported runs: runs of the schedule without an instant. The empty slot excludes children of other runs."""
    return Run.objects.filter(job=job, trigger=Trigger.SCHEDULE, scheduled_for=None, slot="")


def _split_into_batches(numbered: Sequence[tuple[int, LogIdAndSize]]) -> Iterator[list[tuple[int, LogIdAndSize]]]:
    characters = 0

    def number(each: tuple[int, LogIdAndSize]) -> tuple[int, int]:
        nonlocal characters
        characters += each[1][1]
        return each[0] // MAX_LOGS_PER_BATCH, characters // MAX_CHARACTERS_PER_BATCH

    for _key, batch in groupby(numbered, key=number):
        yield list(batch)


def _make_run_from_log(job: Job, token: int, log: OldLog) -> Run:
    start = _make_aware(log.run_start_datetime)
    return Run(
        id=uuid.uuid4(),
        job=job,
        token=token,
        status=_status_of_log(log),
        trigger=Trigger.SCHEDULE,
        claimed_at=start,
        started_at=start,
        finished_at=max(_make_aware(log.run_end_datetime or log.run_start_datetime), start),
        host=(log.hostname or "")[:200],
        **Reason.of(Code.IMPORTED).columns(),
    )


def _status_of_log(log: OldLog) -> Status:
    if log.success:
        return Status.SUCCEEDED
    timed_out = not log.on_time and log.stderr.rstrip().endswith(TIMEOUT_TEXT)
    return Status.TIMED_OUT if timed_out else Status.FAILED


def _chunks_of_log(run: Run, log: OldLog) -> Iterator[LogChunk]:
    written_at = run.finished_at or run.claimed_at
    for stream, text in ((Stream.STDOUT, log.stdout), (Stream.STDERR, log.stderr)):
        text = (text or "").replace(_NUL, _VISIBLE_NUL)
        for seq, start in enumerate(range(0, len(text), MAX_CHUNK_LENGTH)):
            yield LogChunk(
                run=run, stream=stream, seq=seq, text=text[start : start + MAX_CHUNK_LENGTH], written_at=written_at
            )


def _make_aware(moment: dt.datetime) -> dt.datetime:
    return timezone.make_aware(moment) if moment.tzinfo is None else moment

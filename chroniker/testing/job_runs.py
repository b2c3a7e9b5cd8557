"""Runs one job within the process of a test."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.test import override_settings

from chroniker.conf import settings
from chroniker.declared.declaration import Declaration
from chroniker.executors import executors
from chroniker.models import Job, LogChunk, Run, Status, Stream
from chroniker.scheduler import manual_runs
from chroniker.testing.commits import run_commit_callbacks
from chroniker.testing.declarations import ACTOR_NAME, find_job

_INLINE_EXECUTOR: Mapping[str, Any] = {"BACKEND": "chroniker.executors.inline.InlineExecutor", "OPTIONS": {}}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run."""

    status: Status
    exit_code: int | None  #: ``None``: it was not executed
    reason: str  #: why it failed, in the active language; empty after a success
    stdout: str
    stderr: str
    argv: list[str]
    progress: tuple[int, int] | None  #: (total, complete), as the command reported it
    run: Run

    @property
    def succeeded(self) -> bool:
        return self.status == Status.SUCCEEDED


def run_job(
    job: Job | Declaration | str, *, args: str | None = None, scheduled_for: dt.datetime | None = None
) -> Outcome:
    """Run this job now, in this process, and return its outcome.

    ``job``: a name, a declaration or a row. ``args`` and ``scheduled_for`` as in ``chroniker.run_now``. The run is
    real: it has a row, a lease and stored output, so that ``fence()`` and ``current_run()`` work in the command. Raises
    ``ClaimRefused`` if the job may not run now: it is running, paused or disabled, or its group is full.

    *Limits:* no timeout, no stop, and no process of its own: a command that ends the process ends the test.
    """
    with inline_executors():
        claimed = manual_runs.run_now(find_job(job), ACTOR_NAME, args, scheduled_for)
    return read_outcome(Run.objects.get(pk=claimed.pk))


def read_outcome(run: Run) -> Outcome:
    """The outcome of a closed run, with its output."""
    known = run.total_parts is not None and run.total_parts_complete is not None
    return Outcome(
        status=Status(run.status),
        exit_code=run.exit_code,
        reason=str(run.reason),
        stdout=_read_output(run, Stream.STDOUT),
        stderr=_read_output(run, Stream.STDERR),
        argv=list(run.argv or ()),
        progress=(run.total_parts or 0, run.total_parts_complete or 0) if known else None,
        run=run,
    )


def _read_output(run: Run, stream: Stream) -> str:
    chunks = LogChunk.objects.filter(run=run, stream=stream).order_by("seq")
    return "".join(chunks.values_list("text", flat=True))


@contextmanager
def inline_executors() -> Iterator[None]:
    """Within this block every executor executes its runs in this process, at once, within the call that starts them.

    A run that is started inside ``transaction.atomic()`` executes when that transaction has ended.
    """
    inline = {alias: _INLINE_EXECUTOR for alias in settings.executors}
    with override_settings(CHRONIKER_EXECUTORS=inline), run_commit_callbacks(settings.database):
        yield
    executors.close()

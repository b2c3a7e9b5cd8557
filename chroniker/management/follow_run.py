"""Waits for a run and shows its output."""

from __future__ import annotations

import logging
from uuid import UUID

from django.core.management.base import OutputWrapper
from django.db import Error, close_old_connections
from django.db.models import QuerySet

from chroniker.escaping import to_one_line
from chroniker.management.console import run_result_text
from chroniker.models import OPEN_STATUSES, LogChunk, Run, Status, Stream
from chroniker.scheduler.local_runs import POLL_SECONDS, LocalRuns
from chroniker.scheduler.shutdown_signals import ShutdownSignals

logger = logging.getLogger(__name__)

_MAX_CHUNKS_PER_QUERY = 32


class RunFollower:
    """Prints a run's output as it arrives in the database, then its result."""

    def __init__(self, run_id: UUID, stdout: OutputWrapper, stderr: OutputWrapper) -> None:
        self._run_id, self._stdout, self._stderr = run_id, stdout, stderr
        self._last = 0

    def was_dispatched(self) -> bool:
        return Run.objects.filter(pk=self._run_id).exclude(status=Status.CLAIMED, dispatched_at=None).exists()

    def follow(self, runs: LocalRuns, shutdown: ShutdownSignals, *, here: bool) -> None:
        """Print new output until the run has ended, or a signal ends this process."""
        while not shutdown and (runs.has_open_runs if here else self._is_open()):
            runs.wait(POLL_SECONDS)
            self._print_new_output()

    def _is_open(self) -> bool:
        try:
            return Run.objects.filter(pk=self._run_id, status__in=OPEN_STATUSES).exists()
        except Error as error:  # the database may come back
            logger.debug("The run's state is unknown: %s", error)
            return True

    def _print_new_output(self) -> None:
        """Print new output. One supervisor inserts all of it, so keys are in order."""
        try:
            while chunks := list(self._next_chunks()):
                for chunk in chunks:
                    stream = self._stdout if chunk.stream == Stream.STDOUT else self._stderr
                    stream.write_run_output(chunk.text)
                    self._last = chunk.pk
        except Error as error:  # printed later; the run does not depend on it
            logger.debug("No output could be read: %s", error)
            close_old_connections()

    def _next_chunks(self) -> QuerySet[LogChunk]:
        """The next chunks, a bounded number: a run may have written more than fits into memory. A server-side cursor
        (``iterator()``) would be lost behind a pooler that changes the session after each transaction.
        """
        return LogChunk.objects.filter(run=self._run_id, pk__gt=self._last).order_by("pk")[:_MAX_CHUNKS_PER_QUERY]

    def print_result(self, *, waited: bool) -> int:
        """Print the result of the run, or its state. Returns the exit status for this process."""
        self._print_new_output()
        run = Run.objects.select_related("job").filter(pk=self._run_id).first()
        if run is None:
            self._stderr.write(f"Run {self._run_id} was deleted.")
            return 1
        if run.status in OPEN_STATUSES:
            return self._report_open_run(run, waited)
        stream = self._stdout if run.status == Status.SUCCEEDED else self._stderr
        stream.write(f"Run {run.token} of “{to_one_line(run.job.name)}” {run_result_text(run)}.")
        return process_exit_status(run)

    def _report_open_run(self, run: Run, waited: bool) -> int:
        if run.status == Status.CLAIMED and run.dispatched_at is None:
            why = f" {to_one_line(run.reason)}" if run.reason else ""
            self._stderr.write(f"Run {run.pk} is claimed, but not dispatched; the next ticks try again.{why}")
            return 1
        self._stdout.write(str(run.pk))
        if waited:
            self._stderr.write("It has not ended yet.")
        return int(waited)


def process_exit_status(run: Run) -> int:
    """The command's exit status; 128 + number for a signal; 1 if the run failed for another reason."""
    if run.status == Status.SUCCEEDED:
        return 0
    code = run.exit_code or 1
    return 128 - code if code < 0 else code

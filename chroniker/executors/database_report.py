"""The reports of a supervisor to the database: started, renewed, output, finished."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.db import IntegrityError, connections, transaction
from django.utils.translation import gettext as _

from chroniker import lifecycle
from chroniker.conf import settings
from chroniker.exceptions import CommandRefused
from chroniker.executors import output_rows, report_connections
from chroniker.executors.statement_limit import limit_statement_time
from chroniker.job_commands import environment, placeholders, policy
from chroniker.models import EventKind, Job, LogChunk, Run, Status
from chroniker.models.base import make_random_uuid
from chroniker.process.kernel import host_clock
from chroniker.process.run_spec import LeaseRenewalAnswer, RunOutcome, RunSpec
from chroniker.process.run_variables import CurrentRun
from chroniker.reasons import NO_REASON, Code, Reason
from chroniker.worker.output import Chunk

_STATUS_BY_ENDING = {
    "timed_out": Status.TIMED_OUT,
    "stopped": Status.STOPPED,
    "interrupted": Status.LOST,  # it may have finished its work: the job's policy for lost runs applies at once
}

_RENEWAL_TIMEOUT_IN_HEARTBEAT_INTERVALS = 0.45  # a renewal that hangs leaves time for another before the next is due


class DatabaseReport:
    """The reports of one supervisor, identified by its nonce. Any thread may use this object; each thread
    has its own database connection.

    Every call may raise database errors, and may be repeated until it returns.
    """

    def __init__(self, run_id: UUID, token: int, *, worker: str = "", queue: str = "") -> None:
        """Call it when the run is received. ``worker``: this worker's name; ``queue``: where it got the run."""
        self.run_id = run_id
        self.token = token
        self._worker, self._queue, self._received = worker, queue, host_clock.monotonic()
        self.nonce = make_random_uuid()
        self.fail_on_stderr = False
        self.status: Status | None = None  #: the status that the run was closed with
        self.job: Job | None = None  #: the job as it was at the start

    def start(self, pid: int) -> RunSpec | None:
        """Start the run; returns its spec. ``None``: refused; an event or the run's outcome records the reason."""
        with self._borrow_limited_connection():
            started = self._start_run(pid)
            if started is None:
                return None
            self.job, self.fail_on_stderr = started.job, started.job.fail_on_stderr
            run, stop_requested = started.run, started.stop_requested
            try:
                spec = make_run_spec(
                    run, started.job, started.last_success, started.cause_job, stop_requested=stop_requested
                )
                if (argv := policy.argv_if_short(spec.argv)) != run.argv:
                    lifecycle.record_executed_argv(self.run_id, self.nonce, argv)
                return spec
            except CommandRefused as refusal:  # the settings may have changed while it was queued
                error = f"{refusal}{_restart_hint(started.job)}"
                self._close_run(lifecycle.Outcome(Status.FAILED, reason=Reason.of(Code.REFUSED, error=error)))
                return None

    def _start_run(self, pid: int) -> lifecycle.StartedRun | None:
        waited = dt.timedelta(seconds=host_clock.monotonic() - self._received)
        by = {"host": settings.hostname, "worker": self._worker, "queue": self._queue}
        return lifecycle.start(self.run_id, self.token, self.nonce, pid=pid, waited=waited, **by)

    def renew(self, progress: tuple[int, int] | None) -> LeaseRenewalAnswer:
        with self._borrow_limited_connection(_RENEWAL_TIMEOUT_IN_HEARTBEAT_INTERVALS):
            return lifecycle.renew(self.run_id, self.token, self.nonce, progress)

    def store_output(self, chunks: Sequence[Chunk]) -> bool:
        """Store output; a repeated call stores nothing twice. ``False``: the lease was lost; nothing was stored."""
        rows = [
            LogChunk(
                run_id=self.run_id,
                stream=chunk.stream,
                seq=chunk.seq,
                first_line=chunk.first_line,
                text=chunk.text,
                written_at=chunk.written_at,
            )
            for chunk in chunks
        ]
        with self._borrow_limited_connection():
            try:
                return self._insert_output(rows)
            except IntegrityError:  # an earlier try was committed, but its answer was lost
                stored = set(LogChunk.objects.filter(run=self.run_id).values_list("stream", "seq"))
                return self._insert_output([row for row in rows if (row.stream, row.seq) not in stored])

    def _insert_output(self, rows: list[LogChunk]) -> bool:
        with transaction.atomic(using=settings.database):
            ours = Run.objects.filter(pk=self.run_id, nonce=self.nonce).exclude(status=Status.LOST)
            if not ours.exists():
                return False
            output_rows.insert_output_rows(rows)
            return True

    def finish(self, ending: RunOutcome) -> bool:
        """Close the run; returns whether its row now shows this outcome."""
        if ending.end_kind == "lost":
            with self._borrow_limited_connection():
                lifecycle.add_run_event(self.run_id, EventKind.LATE_REPORT, reason=ending.reason or NO_REASON)
            return False
        with self._borrow_limited_connection():
            return self._close_run(to_lifecycle_outcome(ending, fail_on_stderr=self.fail_on_stderr))

    def release_lease(self) -> None:
        """Free the slot: the processes that survived the run have ended."""
        with self._borrow_limited_connection():
            lifecycle.release_kept_lease(self.run_id, self.token, self.nonce)

    def record_event(self, kind: str, reason: Reason) -> None:
        known = EventKind(kind) if kind in EventKind else EventKind.NOTE
        with self._borrow_limited_connection():
            lifecycle.add_run_event(self.run_id, known, reason=reason)

    def close(self) -> None:
        """Close what this thread has opened itself, such as connections of signal receivers to other databases."""
        connections.close_all()

    def _close_run(self, outcome: lifecycle.Outcome) -> bool:
        moved = lifecycle.finish(self.run_id, self.token, self.nonce, outcome)
        if moved:
            self.status = outcome.status
        return moved

    @contextmanager
    def _borrow_limited_connection(self, share: float = 1.0) -> Iterator[None]:
        """In this block no statement may take longer than this share of the time between two renewals.

        The connection is borrowed for one report: long runs must not hold connections that the tick needs.
        """
        with (
            report_connections.borrow_connection(),
            limit_statement_time(settings.database, settings.heartbeat.total_seconds() * share),
        ):
            yield


def _restart_hint(job: Job) -> str:
    """Advice to restart, if this process does not know the command: it knows only those that existed at its start."""
    if job.raw_command or policy.is_known_command(job.command):
        return ""
    return _(" If the command is new, restart the workers.")


def make_current_run(run: Run, job: Job, last_success: dt.datetime | None, cause_job: str | None = None) -> CurrentRun:
    """What the command of this run can read about it."""
    return CurrentRun(
        job_id=job.pk,
        job_name=job.name,
        timezone=job.timezone,
        run_id=run.pk,
        token=run.token,
        attempt=run.attempt,
        trigger=run.origin,
        scheduled_for=run.instant,
        covered_until=run.instant_until,
        interval_start=run.interval_start,
        last_success=last_success,
        cause_run_id=run.cause,
        cause_job=cause_job,
    )


def make_run_spec(
    run: Run, job: Job, last_success: dt.datetime | None = None, cause_job: str | None = None, *, stop_requested: bool
) -> RunSpec:
    """Build the spec. Raises ``CommandRefused``: the rules for commands are checked again at execution."""
    raw = bool(job.raw_command)
    args = job.args if run.args is None else run.args
    current = make_current_run(run, job, last_success, cause_job)
    is_filled = any("{{" in text for text in (args, job.raw_command, job.environment))
    values = placeholders.placeholder_values_of_run(current, settings.hostname) if is_filled else {}
    argv = policy.raw_argv(job.raw_command, values) if raw else policy.management_argv(job.command, args, values)
    return RunSpec(
        run_id=run.pk,
        token=run.token,
        job_id=job.pk,
        argv=argv,
        raw=raw,
        env=environment.resolve_environment(job.environment, job.secrets, values)
        if job.environment or job.secrets
        else {},
        variables=current.to_environment(),
        cwd=environment.resolve_working_directory(job.working_directory) if job.working_directory else None,
        timeout=float(job.timeout_seconds) if job.timeout_seconds else None,
        grace=settings.stop_grace.total_seconds(),
        lease=settings.lease.total_seconds(),
        margin=settings.lease_margin.total_seconds(),
        heartbeat=settings.heartbeat.total_seconds(),
        log_stdout=job.log_stdout,
        log_stderr=job.log_stderr,
        log_max_bytes=job.log_max_bytes,
        fail_on_stderr=job.fail_on_stderr,
        stop_requested=stop_requested,
    )


def to_lifecycle_outcome(ending: RunOutcome, *, fail_on_stderr: bool) -> lifecycle.Outcome:
    """Success is exit status 0, and no output on stderr if the job requires that."""
    succeeded = ending.end_kind == "exited" and ending.exit_code == 0
    only_stderr = succeeded and fail_on_stderr and ending.wrote_stderr
    reasons = [*([Reason.of(Code.STDERR)] if only_stderr else []), *filter(None, [ending.reason])]
    by_exit_code = Status.SUCCEEDED if succeeded and not only_stderr else Status.FAILED
    return lifecycle.Outcome(
        _STATUS_BY_ENDING.get(ending.end_kind, by_exit_code),
        exit_code=ending.exit_code,
        reason=Reason.joined(*reasons) if reasons else NO_REASON,
        progress=ending.progress,
        unstored_characters=ending.unstored_characters,
        survivors=tuple(each.name for each in ending.survivors),
        retry_now=ending.end_kind == "interrupted",
        error_line="" if succeeded and not only_stderr else ending.error_line,
        cpu_seconds=ending.cpu_seconds,
        max_rss_kb=ending.max_rss_kb,
    )

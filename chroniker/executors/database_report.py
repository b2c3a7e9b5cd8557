"""What a supervisor says to the database: started, renewed, output, finished."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from django.db import IntegrityError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from chroniker import lifecycle
from chroniker.conf import settings
from chroniker.exceptions import CommandRefused
from chroniker.job_commands import environment, policy
from chroniker.models import EventKind, Job, LogChunk, Run, Status
from chroniker.process.run_spec import Renewal, RunOutcome, RunSpec
from chroniker.reasons import NO_REASON, Code, Reason
from chroniker.worker.output import Chunk


class DatabaseReport:
    """The voice of one run's supervisor, signed by its nonce. Used from several threads, each with its connection.

    Every call may raise what the database raises; start and finish may be repeated until they answer.
    """

    def __init__(self, run_id: UUID, token: int) -> None:
        self.run_id = run_id
        self.token = token
        self.nonce = uuid4()
        self.fail_on_stderr = False
        self.status: Status | None = None

    def start(self, pid: int) -> RunSpec | None:
        """The order to execute, or ``None``: it is not ours, or may not be executed here; why is recorded."""
        self._prepare(settings.heartbeat.total_seconds())
        started = lifecycle.start(self.run_id, self.token, self.nonce, host=settings.hostname, pid=pid)
        if started is None:
            return None
        self.fail_on_stderr = started.job.fail_on_stderr
        try:
            return order(started.run, started.job, stop=started.stop)
        except CommandRefused as refusal:  # the switch may have been flipped while it was queued
            self._close(lifecycle.Outcome(Status.FAILED, reason=Reason.of(Code.REFUSED, error=str(refusal))))
            return None

    def renew(self, progress: tuple[int, int] | None) -> Renewal:
        self._prepare(settings.heartbeat.total_seconds() * 0.45)
        return lifecycle.renew(self.run_id, self.token, self.nonce, progress)

    def output(self, chunks: Sequence[Chunk]) -> bool:
        """Store output, once however often it is sent. ``False``: the run is not ours any more, nothing was stored."""
        self._prepare(settings.heartbeat.total_seconds())
        rows = [
            LogChunk(
                run_id=self.run_id, stream=chunk.stream, seq=chunk.seq, text=chunk.text, written_at=chunk.written_at
            )
            for chunk in chunks
        ]
        try:
            return self._insert(rows)
        except IntegrityError:  # an earlier try was committed though its answer was lost
            stored = set(LogChunk.objects.filter(run=self.run_id).values_list("stream", "seq"))
            return self._insert([row for row in rows if (row.stream, row.seq) not in stored])

    def _insert(self, rows: list[LogChunk]) -> bool:
        with transaction.atomic(using=settings.database):
            ours = Run.objects.filter(pk=self.run_id, nonce=self.nonce).exclude(status=Status.LOST)
            if not ours.exists():
                return False
            LogChunk.objects.bulk_create(rows)
            return True

    def finish(self, ending: RunOutcome) -> bool:
        """Whether the run's row now shows this ending."""
        if ending.how == "lost":
            lifecycle.note(self.run_id, EventKind.ZOMBIE_REPORT, reason=ending.reason or NO_REASON)
            return False
        self._prepare(settings.heartbeat.total_seconds())
        spoke = [Reason.of(Code.STDERR)] if self._only_spoke(ending) else []
        reasons = [*spoke, *filter(None, [ending.reason])]
        return self._close(
            lifecycle.Outcome(
                self.verdict(ending),
                exit_code=ending.exit_code,
                reason=Reason.joined(*reasons) if reasons else NO_REASON,
                progress=ending.progress,
                unstored=ending.unstored,
                retry_at_once=ending.how == "interrupted",
            )
        )

    def verdict(self, ending: RunOutcome) -> Status:
        """Success is exit status 0, and nothing on stderr where the job says so."""
        if ending.how == "timed_out":
            return Status.TIMED_OUT
        if ending.how == "stopped":
            return Status.STOPPED
        if ending.how == "interrupted":  # it may have done its work; the job's policy for that decides, and at once
            return Status.LOST
        return Status.SUCCEEDED if ending.exit_code == 0 and not self._only_spoke(ending) else Status.FAILED

    def _only_spoke(self, ending: RunOutcome) -> bool:
        """Whether nothing but its output on stderr makes it a failure."""
        spoke = self.fail_on_stderr and ending.wrote_stderr
        return spoke and ending.how == "exited" and ending.exit_code == 0

    def note(self, kind: str, text: str) -> None:
        known = EventKind(kind) if kind in EventKind else EventKind.NOTE
        lifecycle.note(self.run_id, known, text)

    def close(self) -> None:
        connections.close_all()

    def _close(self, outcome: lifecycle.Outcome) -> bool:
        moved = lifecycle.finish(self.run_id, self.token, self.nonce, outcome)
        if moved:
            self.status = outcome.status
        return moved

    def _prepare(self, seconds: float) -> None:
        _limit(connections[settings.database], max(seconds, 0.1))


def _limit(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """No statement of this thread's connection may take longer. SQLite: waits no longer for its lock."""
    if connection.in_atomic_block:
        return  # a caller's transaction (inline executor, tests): its limits are its own
    statement = {
        "postgresql": f"SET statement_timeout = {int(seconds * 1000)}",
        "mysql": f"SET SESSION max_statement_time = {seconds:.3f}, innodb_lock_wait_timeout = {max(1, int(seconds))}",
        "sqlite": f"PRAGMA busy_timeout = {int(seconds * 1000)}",
    }[connection.vendor]
    if connection.vendor == "mysql" and not connection.mysql_is_mariadb:  # type: ignore[attr-defined]
        statement = f"SET SESSION innodb_lock_wait_timeout = {max(1, int(seconds))}"
    if getattr(connection, "chroniker_limit", None) == (id(connection.connection), seconds):
        return
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.chroniker_limit = (id(connection.connection), seconds)  # type: ignore[attr-defined]


def order(run: Run, job: Job, *, stop: bool) -> RunSpec:
    """What the supervisor is to execute. Raises ``CommandRefused``: the rules hold at execution too."""
    raw = bool(job.raw_command)
    args = job.args if run.args is None else run.args
    argv = policy.raw_argv(job.raw_command) if raw else policy.management_argv(job.command, args)
    return RunSpec(
        run_id=run.pk,
        token=run.token,
        job_id=job.pk,
        argv=argv,
        raw=raw,
        env=environment.resolve_environment(job.environment, job.secrets),
        cwd=environment.resolve_directory(job.working_directory),
        timeout=float(job.timeout_seconds) if job.timeout_seconds else None,
        grace=settings.stop_grace.total_seconds(),
        lease=settings.lease.total_seconds(),
        margin=settings.lease_margin.total_seconds(),
        heartbeat=settings.heartbeat.total_seconds(),
        fenced_by_lock=settings.check_lock_file,
        log_stdout=job.log_stdout,
        log_stderr=job.log_stderr,
        log_max_bytes=job.log_max_bytes,
        fail_on_stderr=job.fail_on_stderr,
        stop_requested=stop,
    )

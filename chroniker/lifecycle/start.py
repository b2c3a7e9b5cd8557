"""Start a run: CLAIMED → RUNNING."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.eligibility import draining, hosts
from chroniker.lifecycle import one_statement
from chroniker.lifecycle.alert_mutes import schedule_alert_checks
from chroniker.lifecycle.dispatch_state import record_postponed_start
from chroniker.lifecycle.events import add_run_event
from chroniker.lifecycle.notify import enqueue_start_messages
from chroniker.lifecycle.recipients import run_has_channels_condition
from chroniker.lifecycle.transactions import send_signal_after_commit, transactional
from chroniker.models import AlertKind, EventKind, Job, Lease, Run, Status, installation
from chroniker.models.compiled import fetch_models
from chroniker.models.conflicts import retry_after_conflict
from chroniker.models.statements import Statement, cache_compiled_statement, statement_parameter
from chroniker.reasons import NO_REASON, Code, Reason
from chroniker.signals import run_started

#: A run that a draining host may not start is sent again after this time.
REDISPATCH_SECONDS_WHILE_DRAINING = 1.0


@dataclass(frozen=True, slots=True)
class StartedRun:
    """The caller has the right to execute this run. ``stop_requested``: before it started."""

    run: Run
    job: Job
    stop_requested: bool
    cause_job: str | None = None  #: the name of the job whose run triggered it
    last_success: dt.datetime | None = None  #: the last instant of the schedule that a successful run was for
    was_late: bool = False  #: an alert reports that it has not started


@dataclass(frozen=True, slots=True)
class StartingProcess:
    """The process that starts a run. ``start`` describes the fields."""

    host: str
    pid: int
    worker: str
    queue: str
    taken_at: NowPlus


def start(
    run_id: UUID,
    token: int,
    nonce: UUID,
    *,
    host: str,
    pid: int,
    worker: str = "",
    queue: str = "",
    waited: dt.timedelta = dt.timedelta(),
) -> StartedRun | None:
    """Acquire the right to execute this run. ``None``: refused; an event records the reason.

    Exactly one nonce ever gets the right. If the run requires a host, only a nonce of that host can get it. A repeated
    call with the same nonce (the answer of the commit was lost) gets the same answer while the run is running. While
    the database's clock is not trusted, or this host is draining, no run starts here; it is offered again later.

    ``worker`` and ``queue`` are only recorded; the queue only if the dispatch recorded none. ``waited``: the time since
    the worker got the run, by its own clock. ``taken_at`` is computed from it by the database's clock.
    """
    taker = StartingProcess(host, pid, worker, queue, NowPlus(-waited))
    try:
        started = _start_in_one_statement(run_id, token, nonce, taker) or _start(run_id, token, nonce, taker)
    except _StartDeadlinePassed:
        started = None
    except _StartPostponed as why:
        record_postponed_start(run_id, token, why.seconds, why.reason)
        return None
    except jump_detection.ClockJumped as jump:
        hosts.record_suspension_of_starts(jump.reading, host_name=taker.host)
        record_postponed_start(run_id, token, jump.reading.suspension_seconds_left, jump.reading.suspended_because)
        return None
    if started is None:
        _record_refused_start(run_id, token, taker)
    else:
        run = started.run
        if started.was_late:
            schedule_alert_checks([run.job_id])  # after the start: the state is locked before the run
        send_signal_after_commit(run_started, Run, run_id=run.pk, job_id=run.job_id, token=run.token, host=taker.host)
    return started


def _select_startable_run(run_id: UUID, token: int, taker: StartingProcess) -> QuerySet[Run]:
    return Run.objects.filter(pk=run_id, token=token, status=Status.CLAIMED, required_host__in=["", taker.host])


def _started_run_columns(nonce: UUID, taker: StartingProcess) -> dict[str, Any]:
    return {
        "status": Status.RUNNING,
        "taken_at": taker.taken_at,
        "started_at": NowPlus(),
        "dispatched_at": Coalesce("dispatched_at", NowPlus()),  # the worker may be faster than the dispatcher
        "nonce": nonce,
        "host": taker.host,
        "pid": taker.pid,
        "worker": taker.worker,
        "queue": Case(When(queue="", then=Value(taker.queue)), default=F("queue")),
        "release": settings.release,
        "redispatch_at": None,
        **NO_REASON.columns(),
    }


def _lease_columns(nonce: UUID) -> dict[str, Any]:
    return {"nonce": nonce, "expires_at": NowPlus(settings.lease), "seconds": settings.lease.total_seconds()}


@retry_after_conflict
def _start_in_one_statement(run_id: UUID, token: int, nonce: UUID, taker: StartingProcess) -> StartedRun | None:
    """PostgreSQL: like ``_start``, if there is nothing to refuse and no message to write. ``None``: no row was changed.

    The update of the lease does not compare its time: the condition on the run does, and an expiry locks the run first.
    """
    trusted = jump_detection.load_trusted_clock()
    if not one_statement.are_combined_statements_available() or trusted is None:
        return None
    before = jump_detection.read_host_clocks()
    lowest, highest = trusted.bounds_of_trusted_readings(before)
    values = {"run": run_id, "token": token, "nonce": nonce, "lowest": lowest, "highest": highest}
    values |= {"host": taker.host, "pid": taker.pid, "worker": taker.worker, "queue": taker.queue}
    values |= {"taken_at": taker.taken_at.seconds, "server": trusted.server}
    found = one_statement.execute_start_statement(_make_start_statement(bool(trusted.server)), values)
    if found is None:
        return None
    jump_detection.evaluate_reading(found.now, found.server or None, before)
    run, stop_requested = found.run, found.run.stop_requested_at is not None
    return StartedRun(run, run.job, stop_requested, None, found.last_success_until, _has_late_alert(found.alerts_open))


@cache_compiled_statement
def _make_start_statement(with_server: bool) -> Statement:
    host, pid, worker, queue = map(statement_parameter, ("host", "pid", "worker", "queue"))
    taker = StartingProcess(host, pid, worker, queue, NowPlus(seconds=statement_parameter("taken_at")))
    run_id, nonce = statement_parameter("run"), statement_parameter("nonce")
    server = statement_parameter("server") if with_server else None
    lease = Lease.objects.filter(pk=run_id)
    claim = _select_startable_run(run_id, statement_parameter("token"), taker).filter(
        Q(cause=None),
        Exists(lease.filter(expires_at__gt=NowPlus())),
        ~Exists(draining.select_this_host_if_draining()),
        ~installation.database_copied_condition(),
        ~Exists(Run.objects.filter(_may_need_start_message(), pk=run_id, slot="")),
        *jump_detection.trusted_clock_conditions(statement_parameter("lowest"), statement_parameter("highest"), server),
    )
    return one_statement.make_start_statement(
        claim, _started_run_columns(nonce, taker), lease, _lease_columns(nonce), with_server=with_server
    )


@transactional
def _start(run_id: UUID, token: int, nonce: UUID, taker: StartingProcess) -> StartedRun | None:
    moved = _select_startable_run(run_id, token, taker).update(**_started_run_columns(nonce, taker))
    before = jump_detection.read_host_clocks()
    # A repeated start, which updated no row, finds its own nonce; any other caller finds nothing.
    found = fetch_models(_read_started_run, run_id=run_id, token=token, nonce=nonce)
    if not found:
        return None
    (run,) = found
    if moved:
        _postpone_if_draining_or_copied(run, taker)
    reading = jump_detection.evaluate_reading(run.now, run.server or None, before)
    if reading.suspended_because:
        # The lease may have been taken from a holder that still executes the job.
        raise jump_detection.ClockJumped(reading)
    if not Lease.objects.filter(pk=run_id, expires_at__gt=NowPlus()).update(**_lease_columns(nonce)):
        raise _StartDeadlinePassed
    if moved and run.pinged and run.slot == "":
        enqueue_start_messages(run, run.now)
    is_late = _has_late_alert(run.alerts_open)
    return StartedRun(run, run.job, run.stop_requested_at is not None, run.cause_job, run.last_success, is_late)


def _has_late_alert(alerts_open: int | None) -> bool:
    return bool((alerts_open or 0) & AlertKind.LATE.bit)


def _read_started_run(run_id: UUID, token: int, nonce: UUID) -> Any:
    """The started run with its job, and all other values that a start needs, in one statement."""
    runs = Run.objects.filter(pk=run_id, token=token, nonce=nonce, status=Status.RUNNING)
    return runs.select_related("job").annotate(
        now=NowPlus(),
        server=jump_detection.server_identity_expression(),
        cause_job=Subquery(Run.objects.filter(pk=OuterRef("cause")).values("job__name")[:1]),
        last_success=F("job__state__last_success_until"),
        alerts_open=F("job__state__alerts_open"),
        draining=Exists(draining.select_this_host_if_draining()),
        is_database_copied=installation.database_copied_condition(),
        pinged=_may_need_start_message(),
    )


def _may_need_start_message() -> Exists:
    """Condition for a query of runs: a message about the start may be wanted."""
    return run_has_channels_condition("job", "job__group", check_ins_only=True)


def _postpone_if_draining_or_copied(run: Any, taker: StartingProcess) -> None:
    if run.is_database_copied:
        raise _StartPostponed(settings.redispatch.total_seconds(), Reason.of(Code.COPIED))
    if run.draining:
        raise _StartPostponed(REDISPATCH_SECONDS_WHILE_DRAINING, Reason.of(Code.DRAINING, host=taker.host))


class _StartPostponed(Exception):
    """This host is draining, or this database is a copy. Rolls the start back."""

    def __init__(self, seconds: float, reason: Reason) -> None:
        super().__init__(str(reason))
        self.seconds, self.reason = seconds, reason


class _StartDeadlinePassed(Exception):
    """The start deadline has passed, but no tick has closed the run yet. Rolls the start back."""


def _record_refused_start(run_id: UUID, token: int, taker: StartingProcess) -> None:
    run = Run.objects.filter(pk=run_id).only("status", "token", "required_host").first()
    if run is None:
        return  # a forged id, or the job was deleted: there is no run to record the event for
    if run.token == token:
        because = Reason.of(Code.REFUSED_STATE, host=taker.host, pid=taker.pid, run_status=run.status)
    else:
        because = Reason.of(Code.REFUSED_TOKEN, host=taker.host, pid=taker.pid, current=run.token, token=token)
    if run.required_host not in ("", taker.host):
        because = Reason.joined(because, Reason.of(Code.OTHER_HOST, required_host=run.required_host))
    add_run_event(run_id, EventKind.REFUSED_DELIVERY, reason=because)


@transactional
def record_executed_argv(run_id: UUID, nonce: UUID, argv: Sequence[str] | None) -> None:
    """Record that this run executes another command line than its claim recorded: the job was edited in between."""
    Run.objects.filter(pk=run_id, nonce=nonce).update(argv=argv)

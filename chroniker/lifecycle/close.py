"""Close runs: finished, cancelled, not started in time, lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext as _

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import FromNow, database_now
from chroniker.conf import settings
from chroniker.lifecycle import host_runs
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.events import note, note_lost, note_output_missing
from chroniker.lifecycle.kept_slots import free_slot
from chroniker.lifecycle.notify import annotate_has_subscribers, enqueue, send_run_finished
from chroniker.lifecycle.outcome import Outcome
from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import EVERY_HOST, OPEN, EventKind, Job, JobState, Lease, Run, Status
from chroniker.reasons import Code, Reason

LONGEST_BACKOFF = dt.timedelta(days=1)

#: What closing a run may change in the state.
CLOSED = ("retry_at", "last_status", "last_finished_at")


def finish(run_id: UUID, token: int, nonce: UUID, outcome: Outcome) -> bool:
    """RUNNING → the outcome's status, by the supervisor that started the run; returns whether the row now shows it.

    Idempotent by the nonce. A report that comes after the run was lost changes nothing and leaves an event. A report
    that comes before the last of the output is stored leaves an event too: the reporter may die before it stores that.
    """
    shown, ended = _finish(run_id, token, nonce, outcome)
    send_run_finished(ended)
    return shown


@transactional
def _finish(run_id: UUID, token: int, nonce: UUID, outcome: Outcome) -> tuple[bool, list[Run]]:
    run = annotate_has_subscribers(Run.objects.filter(pk=run_id).select_related("job")).first()
    if run is None:
        return False, []  # its job was deleted meanwhile
    states = list(locked(JobState.objects.filter(pk=run.job_id), skip=False))
    total, done = outcome.progress or (None, None)
    moved = Run.objects.filter(pk=run_id, token=token, nonce=nonce, status=Status.RUNNING).update(
        status=outcome.status,
        finished_at=FromNow(),
        exit_code=outcome.exit_code,
        total_parts=total,
        total_parts_complete=done,
        **outcome.reason_columns(),
    )
    job = run.job
    run.refresh_from_db()
    run.job = job
    if moved:
        free_slot(run_id, outcome.survivors)
        if outcome.unstored:
            note(run_id, EventKind.NOTE, reason=Reason.of(Code.OUTPUT_UNSTORED, n=outcome.unstored))
        return True, _conclude(states, [run], at_once=outcome.retry_at_once)
    if run.nonce != nonce or run.status != outcome.status:
        text = _("It ended as %(outcome)s after it had been closed as %(status)s. %(reason)s")
        words = {
            "outcome": outcome.status.label,
            "status": Status(run.status).label,
            "reason": outcome.reason_in_words(),
        }
        note(run_id, EventKind.LATE_OUTCOME, text % words)
        return False, []
    return True, []


@transactional
def _cancel(run_ids: Collection[UUID]) -> list[Run]:
    runs = Run.objects.filter(pk__in=run_ids)
    job_ids = list(runs.values_list("job_id", flat=True))
    states = list(locked(JobState.objects.filter(pk__in=job_ids), skip=False))
    stoppable = runs.filter(status=Status.CLAIMED, stop_requested_at__isnull=False)
    ids = list(locked(stoppable, skip=False).values_list("pk", flat=True))
    if not ids:
        return []  # they have started meanwhile: their supervisors stop them
    Run.objects.filter(pk__in=ids, status=Status.CLAIMED).update(
        status=Status.STOPPED,
        finished_at=FromNow(),
        redispatch_at=None,
        **Reason.of(Code.STOPPED_EARLY).columns(),
    )
    Lease.objects.filter(pk__in=ids).delete()
    return _conclude(states, list(annotate_has_subscribers(Run.objects.filter(pk__in=ids).select_related("job"))))


def cancel(run_ids: Collection[UUID]) -> bool:
    """CLAIMED → STOPPED, for those of these runs with a stop request and without a start; returns whether any was."""
    ended = _cancel(run_ids)
    send_run_finished(ended)
    return bool(ended)


class HostProcesses(Protocol):
    """The processes of one host's runs. ``locks_decide``: a kernel lock file, not the lease, decides if a run lives."""

    @property
    def host(self) -> str: ...
    @property
    def locks_decide(self) -> bool: ...
    def is_held(self, run_id: UUID) -> bool | None: ...
    def kill_remaining(self, run_id: UUID) -> Sequence[object]: ...


def expire(limit: int, here: HostProcesses | None = None) -> list[Run]:
    """CLAIMED → LOST past the start deadline; RUNNING → LOST when the lease ran out. Returns the runs that were closed.

    Where locks decide, a run of this host is lost at once when its lock is free, and never while it is held: the lease
    does not matter then; without a lock file (None) the lease decides. Remaining processes of a run of this host are
    killed before the run is closed; a run with processes that survive stays open. Runs that a fence holds are left for
    the next tick. Of a run on every host, a child that has not begun is lost as soon as its host is no longer live; the
    parent is closed with its last child. While the database's clock cannot be trusted nothing is closed.
    """
    overdue = Q(expires_at__lt=FromNow(-settings.drift_allowance))
    lost: list[Run] = []
    if here is not None and here.locks_decide:
        # From the few leases to their runs: the other way round SQLite would read the whole history.
        leased = Run.objects.filter(pk__in=Lease.objects.values("pk"))
        running = list(leased.filter(status=Status.RUNNING, host=here.host).values_list("pk", flat=True))
        held = {run_id: here.is_held(run_id) for run_id in running}
        dead = [run_id for run_id in running if held[run_id] is False][:limit]
        lost = _expire(_without_processes(dead, here), None) if dead else []
        overdue &= ~Q(pk__in=[run_id for run_id in running if held[run_id]])
    ids = list(Lease.objects.filter(overdue).order_by("expires_at").values_list("pk", flat=True)[:limit])
    if ids:
        lost += _expire(ids if here is None else _without_processes(ids, here), overdue)
    if ids := list(host_runs.children_of_dead_hosts().values_list("pk", flat=True)[:limit]):
        lost += _expire(ids, Q(nonce=None), Code.HOST_GONE)
    send_run_finished(lost)
    return lost


def _without_processes(run_ids: list[UUID], here: HostProcesses) -> list[UUID]:
    """These runs, without those that have processes on this host which cannot be killed.

    A run whose lock is held has a keeper: that kills the processes by its own deadline. None is killed because of a
    jump of the database's clock: then these runs are not closed either.
    """
    if jump_detection.read_clock().suspended_because:
        return []
    running = Run.objects.filter(pk__in=run_ids, status=Status.RUNNING, host=here.host).values_list("pk", flat=True)
    alive = {run_id for run_id in running if not here.is_held(run_id) and here.kill_remaining(run_id)}
    return [run_id for run_id in run_ids if run_id not in alive]


@transactional
def _expire(run_ids: Collection[UUID], still: Q | None, not_taken: Code = Code.NOT_TAKEN) -> list[Run]:
    job_ids = list(Run.objects.filter(pk__in=run_ids).values_list("job_id", flat=True))
    states = list(locked(JobState.objects.filter(pk__in=job_ids), skip=True))
    held = Run.objects.filter(pk__in=run_ids, job_id__in=[state.pk for state in states])
    mine = list(locked(held, skip=True).values_list("pk", flat=True))
    # Compare the time again while locking the leases to remove: a lease may have been renewed in between.
    leases = Lease.objects.filter(pk__in=mine)
    ids = set(locked(leases.filter(still) if still else leases, skip=True).values_list("pk", flat=True))
    # After the locks, which may have taken their time. A tick has looked before; the clock may have jumped since.
    if not ids or jump_detection.read_clock().suspended_because:
        return []
    closed = set(Run.objects.filter(pk__in=ids).exclude(status__in=OPEN).values_list("pk", flat=True))
    Lease.objects.filter(pk__in=closed).delete()  # the supervisor that waited for their processes has ended
    ids -= closed
    parents = set(Run.objects.filter(pk__in=ids, required_host=EVERY_HOST).values_list("pk", flat=True))
    ids -= parents
    Run.objects.filter(pk__in=ids, status=Status.CLAIMED).update(**Reason.of(not_taken).columns())
    Run.objects.filter(pk__in=ids, status=Status.RUNNING).update(**Reason.of(Code.LEASE).columns(), **_last_progress())
    Run.objects.filter(pk__in=ids).update(status=Status.LOST, finished_at=FromNow(), redispatch_at=None)
    Lease.objects.filter(pk__in=ids).delete()
    lost = list(annotate_has_subscribers(Run.objects.filter(pk__in=ids).select_related("job")))
    note_output_missing(lost, database_now())
    return _conclude(states, lost, parents)


def _last_progress() -> dict[str, Subquery]:
    lease = Lease.objects.filter(pk=OuterRef("pk"))
    return {name: Subquery(lease.values(name)[:1]) for name in ("total_parts", "total_parts_complete")}


def _conclude(
    states: Sequence[JobState], ended: list[Run], parents: Collection[UUID] = (), *, at_once: bool = False
) -> list[Run]:
    """Settle these runs, and their parents and ``parents`` without an open child. Returns all runs that have ended."""
    candidates = {*parents, *(run.parent_id for run in ended if run.parent_id)}
    closed = host_runs.close_finished_parents(candidates)
    if waiting := set(parents) - closed:
        host_runs.extend_parent_leases(waiting)
    if closed:
        ended += annotate_has_subscribers(Run.objects.filter(pk__in=closed).select_related("job"))
    _settle(states, ended, at_once)
    return ended


def _settle(states: Sequence[JobState], runs: Sequence[Run], at_once: bool) -> None:
    """Write the consequences of the ended runs: the last result, a retry by the job's policy, and the messages."""
    now = database_now()
    by_job = {state.pk: state for state in states}
    lost = host_runs.lost_children([run.pk for run in runs if run.required_host == EVERY_HOST])
    settled = [
        run for run in runs if run.slot == "" and run.job_id in by_job
    ]  # a child's end is settled with its parent
    for run in settled:
        state = by_job[run.job_id]
        state.last_status, state.last_finished_at = run.status, run.finished_at
        again = retry_at(run.job, run, now, lost=run.pk in lost)
        state.retry_at = now if again is not None and at_once else again
    write_states([by_job[run.job_id] for run in settled], CLOSED)
    note_lost(runs, now)
    enqueue(runs, now)


def retry_at(job: Job, run: Run, now: dt.datetime, *, lost: bool = False) -> dt.datetime | None:
    """The time of the retry after ``run``, or ``None``. A run with a stop request is never retried.

    A failure or a timeout is retried ``max_retries`` times; a lost run, if ``retry_on_lost``, as often as it takes:
    the back-off doubles each time, up to a day. ``lost``: a run on some host was, so that this one counts as lost too.
    """
    if run.stop_requested_at is not None or not job.enabled:
        return None
    lost = lost or run.status == Status.LOST
    failed = not lost and run.status in (Status.FAILED, Status.TIMED_OUT) and run.attempt <= job.max_retries
    if failed or (lost and job.retry_on_lost):
        backoff = dt.timedelta(seconds=job.retry_backoff_seconds * 2 ** min(run.attempt - 1, 20))
        return now + min(backoff, LONGEST_BACKOFF)
    return None

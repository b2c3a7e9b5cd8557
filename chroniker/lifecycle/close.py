"""Close runs that their worker has finished, or that were cancelled before they started; write the results."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from chroniker.clock.database_clock import NowPlus, database_now
from chroniker.conf import settings
from chroniker.lifecycle import (
    activations,
    alert_conditions,
    alert_episodes,
    backfills,
    host_runs,
    job_health,
    notify,
    one_statement,
)
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.events import add_lost_events, add_run_event
from chroniker.lifecycle.notify import annotate_recipients, enqueue_end_messages, send_finished_signals
from chroniker.lifecycle.pending_retries import compute_next_retry_time
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import EVERY_HOST, OPEN_STATUSES, Backfill, EventKind, JobState, Lease, Run, Status, Trigger
from chroniker.models.compiled import fetch_models
from chroniker.models.statements import Statement, cache_compiled_statement, make_column_parameters, statement_parameter
from chroniker.reasons import NO_REASON, Code, Reason

#: The columns of JobState that the end of a run may write.
CLOSE_COLUMNS = (
    "last_status",
    "last_finished_at",
    "last_seconds",
    "backfill_at",
    *job_health.RETRY_COLUMNS,
    *job_health.HOLD_COLUMNS,
    *job_health.RESULT_COLUMNS,
    *alert_episodes.ALERT_COLUMNS,
)
MAX_ERROR_LINE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a run, as its supervisor reports it."""

    status: Status
    exit_code: int | None = None
    reason: Reason = NO_REASON
    progress: tuple[int, int] | None = None  #: (total, complete)
    unstored_characters: int = 0  #: characters of output that are not stored yet
    survivors: tuple[str, ...] = ()  #: names of processes that could not be killed: the job's slot waits for their end
    retry_now: bool = False  #: a retry of this run has no back-off
    error_line: str = ""  #: its last line on stderr, if it did not succeed
    cpu_seconds: float | None = None
    max_rss_kb: int | None = None


def finish(run_id: UUID, token: int, nonce: UUID, outcome: Outcome) -> bool:
    """RUNNING → the outcome's status, by the supervisor that started the run; returns whether the row now shows it.

    Idempotent by the nonce. A report that comes after the run was lost changes nothing and leaves an event. If the
    last output is not stored yet, the report leaves an event too: the reporter may die before it stores that output.
    """
    shown, ended = _finish(run_id, token, nonce, outcome)
    send_finished_signals(ended)
    return shown


@transactional
def _finish(run_id: UUID, token: int, nonce: UUID, outcome: Outcome) -> tuple[bool, list[Run]]:
    if one_statement.are_combined_statements_available() and not outcome.survivors:
        values = {**_columns_of_outcome(outcome), "run": run_id, "token": token, "nonce": nonce}
        closed = one_statement.execute_close_statement(_make_close_statement(), values, notify.RECIPIENT_ANNOTATIONS)
        if closed is not None:
            closed_run = closed.run if closed.is_fresh else _select_run_with_recipients(run_id).get()
            return True, _write_results_of_finished_run([closed.state], closed_run, outcome)
    found = fetch_models(_select_run_with_recipients, run_id=run_id)
    if not found:
        return False, []  # its job was deleted meanwhile
    (run,) = found
    states = list(lock_rows(JobState.objects.filter(pk=run.job_id), skip=False))
    moved = _running_run_of_lease_holder(run_id, token, nonce).update(**_columns_of_outcome(outcome))
    job = run.job
    run.refresh_from_db()
    run.job = job
    if moved:
        _delete_or_keep_lease(run_id, outcome.survivors)
        return True, _write_results_of_finished_run(states, run, outcome)
    if run.nonce != nonce or run.status != outcome.status:
        late = Reason.of(Code.LATE_RESULT, outcome=outcome.status, run_status=run.status)
        add_run_event(run_id, EventKind.LATE_OUTCOME, reason=Reason.joined(late, *filter(None, [outcome.reason])))
        return False, []
    return True, []


def _select_run_with_recipients(run_id: UUID) -> QuerySet[Run]:
    rows: QuerySet[Run] = annotate_recipients(Run.objects.filter(pk=run_id).select_related("job__group"))
    return rows


def _running_run_of_lease_holder(run_id: UUID, token: int, nonce: UUID) -> QuerySet[Run]:
    return Run.objects.filter(pk=run_id, token=token, nonce=nonce, status=Status.RUNNING)


@cache_compiled_statement
def _make_close_statement() -> Statement:
    run_id = statement_parameter("run")
    run = Run.objects.filter(pk=run_id)
    state = lock_rows(JobState.objects.filter(pk__in=run.values("job")), skip=False)
    mine = _running_run_of_lease_holder(run_id, statement_parameter("token"), statement_parameter("nonce"))
    values = make_column_parameters(Run, _columns_of_outcome(Outcome(Status.SUCCEEDED)))
    return one_statement.make_close_statement(run_id, state, mine, values, annotate_recipients(run))


def _columns_of_outcome(outcome: Outcome) -> dict[str, Any]:
    """The columns of a run that ends with this outcome."""
    total, done = outcome.progress or (None, None)
    return {
        "status": outcome.status,
        "finished_at": NowPlus(),
        "uncounted_since": NowPlus(),
        "exit_code": outcome.exit_code,
        "total_parts": total,
        "total_parts_complete": done,
        "error_line": outcome.error_line[:MAX_ERROR_LINE_LENGTH],
        "cpu_seconds": outcome.cpu_seconds,
        "max_rss_kb": outcome.max_rss_kb,
        **outcome.reason.columns(),
    }


def _write_results_of_finished_run(states: Sequence[JobState], run: Run, outcome: Outcome) -> list[Run]:
    if outcome.unstored_characters:
        add_run_event(run.pk, EventKind.NOTE, reason=Reason.of(Code.OUTPUT_UNSTORED, n=outcome.unstored_characters))
    return write_results_of_ended_runs(states, [run], retry_now=outcome.retry_now)


def _delete_or_keep_lease(run_id: UUID, survivors: Sequence[str]) -> None:
    """Delete the lease of a run that is being closed, or keep it: the job must not run beside these processes.

    Its supervisor renews a kept lease, and releases it when they have ended. Without a supervisor it expires.
    """
    lease = Lease.objects.filter(pk=run_id)
    if not survivors:
        lease.delete()
        return
    lease.update(expires_at=NowPlus(settings.lease))
    add_run_event(run_id, EventKind.NOTE, reason=Reason.of(Code.SLOT_KEPT, names=list(survivors)))


@transactional
def release_kept_lease(run_id: UUID, token: int, nonce: UUID) -> None:
    """Delete the kept lease of a closed run."""
    Lease.objects.filter(pk=run_id, token=token, nonce=nonce).exclude(run__status__in=OPEN_STATUSES).delete()


@transactional
def _cancel_unstarted_runs_in_transaction(run_ids: Collection[UUID]) -> list[Run]:
    runs = Run.objects.filter(pk__in=run_ids)
    job_ids = list(runs.values_list("job_id", flat=True))
    states = list(lock_rows(JobState.objects.filter(pk__in=job_ids), skip=False))
    stoppable = runs.filter(status=Status.CLAIMED, stop_requested_at__isnull=False)
    ids = list(lock_rows(stoppable, skip=False).values_list("pk", flat=True))
    if not ids:
        return []  # they have started meanwhile: their supervisors stop them
    Run.objects.filter(pk__in=ids, status=Status.CLAIMED).update(
        status=Status.STOPPED,
        finished_at=NowPlus(),
        uncounted_since=NowPlus(),
        redispatch_at=None,
        **Reason.of(Code.STOPPED_EARLY).columns(),
    )
    Lease.objects.filter(pk__in=ids).delete()
    ended = Run.objects.filter(pk__in=ids).select_related("job__group")
    return write_results_of_ended_runs(states, list(annotate_recipients(ended)))


def cancel_unstarted_runs(run_ids: Collection[UUID]) -> bool:
    """CLAIMED → STOPPED, for those of these runs with a stop request that have not started; returns if any was."""
    ended = _cancel_unstarted_runs_in_transaction(run_ids)
    send_finished_signals(ended)
    return bool(ended)


def write_results_of_ended_runs(
    states: Sequence[JobState], ended_runs: list[Run], parents: Collection[UUID] = (), *, retry_now: bool = False
) -> list[Run]:
    """Write results, retries and messages of these runs, and close parents without an open child; returns them all."""
    if candidates := {*parents, *(run.parent_id for run in ended_runs if run.parent_id)}:
        closed = host_runs.close_finished_parents(candidates)
        if waiting := set(parents) - closed:
            host_runs.extend_parent_leases(waiting)
        ended_runs += annotate_recipients(Run.objects.filter(pk__in=closed).select_related("job__group"))
    _write_results_retries_and_messages(states, ended_runs, retry_now)
    return ended_runs


def _write_results_retries_and_messages(states: Sequence[JobState], runs: Sequence[Run], retry_now: bool) -> None:
    """Write what follows from the ended runs: the job's results, a retry by its policy, and the messages."""
    now = max((run.finished_at for run in runs if run.finished_at is not None), default=None) or database_now()
    by_job = {state.pk: state for state in states}
    parents = [run.pk for run in runs if run.required_host == EVERY_HOST]
    lost = host_runs.find_parents_with_lost_child(parents) if parents else set()
    # The results of a child are written when its parent ends.
    ended, settled = list[Run](), [run for run in runs if run.slot == "" and run.job_id in by_job]
    backfill_of = backfills.lock_backfills_of_runs(settled)
    for run in settled:
        state, again = by_job[run.job_id], compute_next_retry_time(run.job, run, now, has_lost_child=run.pk in lost)
        again = now if again and retry_now else again
        if run.origin == Trigger.BACKFILL:
            backfills.record_backfill_run_end(state, run, backfill_of.get(run.backfill), now, again)
            job_health.record_done_instants(state, run)
            continue
        state.last_status, state.last_finished_at = run.status, run.finished_at
        state.last_seconds = job_health.duration_seconds(run)
        has_retry = again is not None and job_health.book_retry(state, run, again)
        job_health.record_run_end(state, run, has_retry=has_retry)
        ended += [] if has_retry else [run]
    _write_alerts(by_job, settled, backfill_of, now)
    write_states([by_job[run.job_id] for run in settled], CLOSE_COLUMNS)
    backfills.write_backfills(list(backfill_of.values()))
    activations.insert_activations_of_ended_chains(ended, [by_job[run.job_id] for run in settled], now)
    if any(run.status == Status.LOST for run in runs):
        add_lost_events(runs, now)
    enqueue_end_messages(runs, now)


def _write_alerts(
    states: Mapping[int, JobState], runs: Sequence[Run], backfill_of: Mapping[Any, Backfill], now: dt.datetime
) -> None:
    """Write the alerts that the ends of these runs raise and end. No statement without such alerts."""
    found = alert_conditions.make_alert_changes({run.job_id: (states[run.job_id], run.job) for run in runs}.values())
    all_changes = {changes.job.pk: changes for changes in found}
    for run in runs:
        alert_conditions.add_alert_changes_from_run_end(all_changes[run.job_id], run)
        if (backfill := backfill_of.get(run.backfill)) is not None and backfill.stopped_by_run == run.token:
            alert_conditions.add_alert_changes_from_backfill_end(all_changes[run.job_id], backfill, run)
    host_runs.add_slow_hosts_to_alerts(found, runs)
    last = {run.job_id: run for run in runs if run.origin != Trigger.BACKFILL}
    for pk, changes in all_changes.items():
        alert_conditions.add_alert_changes_from_state(changes, last.get(pk))
        changes.state.alert_at = alert_conditions.compute_next_alert_check_time(changes, None, now)
    alert_episodes.write_alert_changes(found, now)

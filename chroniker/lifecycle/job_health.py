"""The record of a job's results in its state: counters, failures in a row, pending retry, hold, durations. Pure."""

from __future__ import annotations

import datetime as dt
import math

from chroniker.eligibility.claim_kinds import ORIGINS_THAT_CAN_HOLD_JOB
from chroniker.models import FAILURE_STATUSES, Job, JobState, Run, Status, Trigger

#: The usual duration is computed from this many latest successful runs.
MAX_RECENT_DURATIONS = 50
#: A lost run may be retried without limit. From this attempt on, each lost attempt counts as a failure of its chain.
LOST_ATTEMPTS_BEFORE_FAILURE = 3

#: The columns of the state that a claim, a booking or the end of a run may change here.
FAILURE_COLUMNS = ("failures", "failing_since")
RETRY_COLUMNS = ("retry_at", "retry_attempt", "retry_of", "retry_origin", "retry_status")
HOLD_COLUMNS = ("held_at", "held_by_run")
SKIP_COUNT_COLUMNS = ("n_skipped",)
RESULT_COLUMNS = (
    *FAILURE_COLUMNS,
    "last_success_at",
    "last_success_until",
    "done_until",
    "n_succeeded",
    "n_failed",
    "n_timed_out",
    "n_stopped",
    "n_lost",
    "bad_permille",
    "seconds_total",
    "recent_seconds",
    "p50",
    "p95",
)

_COUNTER_BY_STATUS = {
    Status.SUCCEEDED: "n_succeeded",
    Status.FAILED: "n_failed",
    Status.TIMED_OUT: "n_timed_out",
    Status.STOPPED: "n_stopped",
    Status.LOST: "n_lost",
}


def record_run_end(state: JobState, run: Run, *, has_retry: bool) -> None:
    """Record that this run was closed. ``has_retry``: a retry is booked; else its chain ends with this run."""
    assert run.finished_at is not None
    add_run_to_job_counters(state, run)
    if run.status == Status.SUCCEEDED:
        _record_success(state, run)
    is_lost = run.status == Status.LOST and run.attempt >= LOST_ATTEMPTS_BEFORE_FAILURE
    if not has_retry or is_lost:
        record_chain_end(state, run.status, run.finished_at)
    if not has_retry and run.origin in ORIGINS_THAT_CAN_HOLD_JOB and run.status in FAILURE_STATUSES:
        _hold_job_if_configured(state, run.job, run.token, run.finished_at)


def add_backfill_run_to_job_counters(state: JobState, run: Run) -> None:
    """Count an ended run of a backfill in the counters and durations. The other columns are about the schedule."""
    last_success_at = state.last_success_at
    add_run_to_job_counters(state, run)
    state.last_success_at = last_success_at
    if run.status == Status.SUCCEEDED:
        _record_duration(state, run)


def add_run_to_job_counters(state: JobState, run: Run) -> None:
    """Add this closed run to the counters. An imported run may be older than the last success."""
    counter = _COUNTER_BY_STATUS[Status(run.status)]
    setattr(state, counter, getattr(state, counter) + 1)
    state.bad_permille = compute_bad_run_permille(state)
    state.seconds_total += duration_seconds(run) or 0.0
    if run.status == Status.SUCCEEDED and run.finished_at is not None:
        state.last_success_at = max(state.last_success_at or run.finished_at, run.finished_at)


def duration_seconds(run: Run) -> float | None:
    """The duration of a closed run; ``None`` if it was not started."""
    if run.started_at is None or run.finished_at is None:
        return None
    return max(0.0, (run.finished_at - run.started_at).total_seconds())


def set_recent_durations(state: JobState, seconds: list[float]) -> None:
    """Compute the usual duration from these durations of successful runs, the newest last."""
    if seconds:
        state.recent_seconds = [round(each, 3) for each in seconds[-MAX_RECENT_DURATIONS:]]
        state.p50, state.p95 = percentile(state.recent_seconds, 50), percentile(state.recent_seconds, 95)


def _record_success(state: JobState, run: Run) -> None:
    state.last_success_at = run.finished_at
    if run.origin == Trigger.MANUAL:
        clear_hold(state)
    record_done_instants(state, run)
    if run.origin == Trigger.SCHEDULE and run.instant_until is not None:
        state.last_success_until = max(state.last_success_until or run.instant_until, run.instant_until)
    _record_duration(state, run)


def _record_duration(state: JobState, run: Run) -> None:
    if (seconds := duration_seconds(run)) is not None:
        set_recent_durations(state, [*state.recent_seconds, seconds])


def record_done_instants(state: JobState, run: Run) -> None:
    """Record that a successful run has done its instants, whatever triggered it. Deadlines no longer wait for these
    instants."""
    if run.instant_until is not None and run.status == Status.SUCCEEDED:
        state.done_until = max(state.done_until or run.instant_until, run.instant_until)


def compute_bad_run_permille(state: JobState) -> int:
    """The share of bad runs in thousandths, by the counters, without stopped runs. One good run is added: in
    a list ordered by this share, a job with a single failed run is then not the worst."""
    bad = state.n_failed + state.n_timed_out + state.n_lost
    return 1000 * bad // (bad + state.n_succeeded + 1)


def percentile(values: list[float], percent: int) -> float:
    """The smallest value that at least this percentage of the values does not exceed (nearest rank)."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def record_chain_end(state: JobState, status: str, ended_at: dt.datetime) -> None:
    """Record the result of a chain of attempts. A chain that a person stopped does not change the failures."""
    if status == Status.SUCCEEDED:
        state.failures, state.failing_since = 0, None
    elif status in FAILURE_STATUSES:
        state.failures += 1
        state.failing_since = state.failing_since or ended_at


def book_retry(state: JobState, run: Run, retry_at: dt.datetime | None) -> bool:
    """Book a retry of this run, unless one of another chain is pending; returns whether it was booked.

    A run of the schedule replaces the pending retry of a run by hand, whose chain ends.
    """
    if state.retry_at is not None:
        if run.origin != Trigger.SCHEDULE or state.retry_origin == Trigger.SCHEDULE:
            return False
        _end_chain_of_pending_retry(state, run.finished_at or state.retry_at)
    state.retry_at, state.retry_attempt = retry_at, run.attempt
    state.retry_of, state.retry_origin, state.retry_status = run.chain, run.origin, run.status
    return True


def clear_pending_retry(state: JobState) -> None:
    state.retry_at, state.retry_of, state.retry_origin, state.retry_status = None, None, "", ""


def end_pending_retry(state: JobState, job: Job, now: dt.datetime) -> None:
    """Cancel the pending retry, if any; its chain of attempts ends with the result of its last attempt."""
    if state.retry_at is not None:
        ended_at = state.last_finished_at or now
        _end_chain_of_pending_retry(state, ended_at)
        if state.retry_origin in ORIGINS_THAT_CAN_HOLD_JOB:
            _hold_job_if_configured(state, job, state.retry_of, ended_at)
    clear_pending_retry(state)


def _end_chain_of_pending_retry(state: JobState, ended_at: dt.datetime) -> None:
    """Record that the chain of the pending retry ends with the result of its last attempt.

    A lost attempt that counted as a failure already (``LOST_ATTEMPTS_BEFORE_FAILURE``) is not counted again.
    """
    if state.retry_of is not None:
        # ``activations.insert_activations_of_ended_chains`` reads it.
        state.cancelled_chain = (
            state.retry_of,
            state.retry_status,
        )
    if state.retry_status != Status.LOST or state.retry_attempt < LOST_ATTEMPTS_BEFORE_FAILURE:
        record_chain_end(state, state.retry_status, ended_at)


def _hold_job_if_configured(state: JobState, job: Job, token: int | None, at: dt.datetime) -> None:
    """Hold a job with *hold on failure* after a chain has ended with a failure. If the job is already held, the cause
    is not changed."""
    if job.hold_on_failure and state.held_at is None:
        state.held_at, state.held_by_run = at, token


def clear_hold(state: JobState) -> None:
    state.held_at = state.held_by_run = None

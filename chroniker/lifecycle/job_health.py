"""The record of a job's results in its state: counters, failures in a row, pending retry, hold, durations. Pure."""

from __future__ import annotations

import datetime as dt
import math

from chroniker.eligibility.claim_kinds import HOLDING
from chroniker.models import BAD, Job, JobState, Run, Status, Trigger

#: The usual duration is taken from this many latest successes.
RECENT = 50
#: A lost run may be retried without limit. From this attempt on, each lost attempt counts as a failure of its chain.
LOST_ATTEMPTS = 3

#: The columns of the state that a claim, a booking or the end of a run may change here.
CHAIN = ("failures", "failing_since")
RETRY = ("retry_at", "retry_attempt", "retry_of", "retry_origin", "retry_status")
HOLD = ("held_at", "held_by_run")
SKIPPED = ("n_skipped",)
RESULT = (
    *CHAIN,
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

_COUNTERS = {
    Status.SUCCEEDED: "n_succeeded",
    Status.FAILED: "n_failed",
    Status.TIMED_OUT: "n_timed_out",
    Status.STOPPED: "n_stopped",
    Status.LOST: "n_lost",
}


def record_end(state: JobState, run: Run, *, goes_on: bool) -> None:
    """Record that this run was closed. ``goes_on``: a retry of its chain is booked; else its chain ends with it."""
    assert run.finished_at is not None
    count_end(state, run)
    if run.status == Status.SUCCEEDED:
        _record_success(state, run)
    is_lost = run.status == Status.LOST and run.attempt >= LOST_ATTEMPTS
    if not goes_on or is_lost:
        end_chain(state, run.status, run.finished_at)
    if not goes_on and run.origin in HOLDING and run.status in BAD:
        _hold(state, run.job, run.token, run.finished_at)


def record_backfill_end(state: JobState, run: Run) -> None:
    """Record the end of a run of a backfill: in the counters and durations only, which are not about the present."""
    last_success_at = state.last_success_at
    count_end(state, run)
    state.last_success_at = last_success_at
    if run.status == Status.SUCCEEDED:
        _record_duration(state, run)


def count_end(state: JobState, run: Run) -> None:
    """Add this closed run to the counters. An imported run may be older than the last success."""
    counter = _COUNTERS[Status(run.status)]
    setattr(state, counter, getattr(state, counter) + 1)
    state.bad_permille = bad_permille(state)
    state.seconds_total += seconds_of(run) or 0.0
    if run.status == Status.SUCCEEDED and run.finished_at is not None:
        state.last_success_at = max(state.last_success_at or run.finished_at, run.finished_at)


def seconds_of(run: Run) -> float | None:
    """The duration of a closed run; none if it was not started."""
    if run.started_at is None or run.finished_at is None:
        return None
    return max(0.0, (run.finished_at - run.started_at).total_seconds())


def set_recent_durations(state: JobState, seconds: list[float]) -> None:
    """Take these durations of successes, the newest last, as the usual ones."""
    if seconds:
        state.recent_seconds = [round(each, 3) for each in seconds[-RECENT:]]
        state.p50, state.p95 = percentile(state.recent_seconds, 50), percentile(state.recent_seconds, 95)


def _record_success(state: JobState, run: Run) -> None:
    state.last_success_at = run.finished_at
    if run.origin == Trigger.MANUAL:
        lift_hold(state)
    record_done(state, run)
    if run.origin == Trigger.SCHEDULE and run.instant_until is not None:
        state.last_success_until = max(state.last_success_until or run.instant_until, run.instant_until)
    _record_duration(state, run)


def _record_duration(state: JobState, run: Run) -> None:
    if (seconds := seconds_of(run)) is not None:
        set_recent_durations(state, [*state.recent_seconds, seconds])


def record_done(state: JobState, run: Run) -> None:
    """This run has done its instants, whatever triggered it: a deadline expects them no longer."""
    if run.instant_until is not None and run.status == Status.SUCCEEDED:
        state.done_until = max(state.done_until or run.instant_until, run.instant_until)


def bad_permille(state: JobState) -> int:
    """By the counters of ``state``, without stopped runs. For the order of the list: one good run is added, so that a
    single failed run is not the worst of all."""
    bad = state.n_failed + state.n_timed_out + state.n_lost
    return 1000 * bad // (bad + state.n_succeeded + 1)


def percentile(values: list[float], percent: int) -> float:
    """The smallest of the values that at least this share of them does not exceed (nearest rank)."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def end_chain(state: JobState, status: str, at: dt.datetime) -> None:
    """Record the result of a chain of attempts. A chain that a person stopped leaves the failures as they are."""
    if status == Status.SUCCEEDED:
        state.failures, state.failing_since = 0, None
    elif status in BAD:
        state.failures += 1
        state.failing_since = state.failing_since or at


def book_retry(state: JobState, run: Run, at: dt.datetime | None) -> bool:
    """Book a retry of this run, unless one of another chain is pending; returns whether it was booked.

    A run of the schedule replaces the pending retry of a run by hand, whose chain ends.
    """
    if state.retry_at is not None:
        if run.origin != Trigger.SCHEDULE or state.retry_origin == Trigger.SCHEDULE:
            return False
        _end_retried_chain(state, run.finished_at or state.retry_at)
    state.retry_at, state.retry_attempt = at, run.attempt
    state.retry_of, state.retry_origin, state.retry_status = run.chain, run.origin, run.status
    return True


def clear_retry(state: JobState) -> None:
    state.retry_at, state.retry_of, state.retry_origin, state.retry_status = None, None, "", ""


def drop_retry(state: JobState, job: Job, now: dt.datetime) -> None:
    """No retry will follow: the pending one, if any, is cancelled, and its chain ends as its last attempt did."""
    if state.retry_at is not None:
        ended_at = state.last_finished_at or now
        _end_retried_chain(state, ended_at)
        if state.retry_origin in HOLDING:
            _hold(state, job, state.retry_of, ended_at)
    clear_retry(state)


def _end_retried_chain(state: JobState, at: dt.datetime) -> None:
    """The chain of the pending retry ends as its last attempt did.

    A lost attempt that counted as a failure already (``LOST_ATTEMPTS``) is not counted again.
    """
    if state.retry_of is not None:
        state.dropped_chain = (state.retry_of, state.retry_status)  # ``activations.record_ends`` reads it
    if state.retry_status != Status.LOST or state.retry_attempt < LOST_ATTEMPTS:
        end_chain(state, state.retry_status, at)


def _hold(state: JobState, job: Job, token: int | None, at: dt.datetime) -> None:
    """A chain of the schedule has ended badly. A job that is held already keeps the cause."""
    if job.hold_on_failure and state.held_at is None:
        state.held_at, state.held_by_run = at, token


def lift_hold(state: JobState) -> None:
    state.held_at = state.held_by_run = None

"""One pass: expire the lost, dispatch again what was not taken, find the due, claim them, dispatch them."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection
from contextlib import suppress

from chroniker import lifecycle, outbox
from chroniker.clock import jump_detection
from chroniker.conf import settings
from chroniker.eligibility import due, hosts, pauses
from chroniker.models import JobDependency, Run
from chroniker.scheduler import dispatch, job_deletion
from chroniker.scheduler.claiming import TIME_BOX, claim_due, trim_history
from chroniker.scheduler.stopping import stop_flagged
from chroniker.scheduler.tick_result import TickResult
from chroniker.worker import run_lock


def tick(only: Collection[int] | None = None, now: dt.datetime | None = None) -> TickResult:
    """One pass over what is due, or over these jobs only. Any number of ticks may run at once.

    0. Look at the database's clock. If it jumped, do no more than steps 3 (stops) and 7 for one lease (`clockwatch`).
    1. Close claims and runs whose time is up.
    2. Dispatch again claims whose message seems lost.
    3. Book what was edited; pass on stops asked by flag.
    4. Record or replace what overlaps.
    5. Claim what is due, batch by batch, and dispatch each batch after its commit.
    6. Take what other hosts' ticks claimed for this host.
    7. Have messages sent that are due, by a thread: this pass does not wait for them.
    8. Delete what the claimed jobs have beyond their ``maximum_log_entries``, and jobs that were to go after a run.

    Costs a constant number of statements, plus a constant number for each batch of due jobs. ``now`` is for tests.
    The clock is read anew for each batch, and judged each time: nothing is booked or claimed by a time that was not.
    """
    done = TickResult()
    sight = jump_detection.read_clock()
    if jump_detection.is_unsettled():
        lifecycle.restart_after_clock_jump()
        if not sight.suspended_because:
            jump_detection.mark_settled()
    try:
        if sight.suspended_because:
            raise jump_detection.ClockJumped(sight)
        done.lost = expire()
        done.dispatched += dispatch.dispatch_again(now or sight.now)
        stop_flagged()
        if pauses.global_pause() is None:
            done.booked = book_edited(now or jump_detection.trusted_now())
            claim_due(done, only, now)
        done.dispatched += dispatch.dispatch_claims_left_for_this_host(
            now or jump_detection.trusted_now(), done.lost_races
        )
    except jump_detection.ClockJumped as jump:
        hosts.record_suspension(jump.sight)
        done.suspended_because = jump.sight.suspended_because
        stop_flagged()
    outbox.send_soon()
    trim_history(done.claimed)
    if not done.suspended_because:
        job_deletion.delete_closed_jobs()
    return done


def claim_after_run(job_id: int) -> TickResult:
    """After a run of ``job_id`` ended: claim what waited for it, and send word of it, before the next tick would.

    That is the job itself, those that depend on it, and those for which its group had no room.
    """
    dependents = hosts.without_unfinished_host_runs(JobDependency.objects.filter(dependee=job_id)).values_list(
        "dependent", flat=True
    )
    done = TickResult()
    # After most runs nothing waits. The questions of a whole pass, put each time, would cost more than the run did.
    waiting = {
        *due.jobs_with_pending_work([job_id, *dependents]),
        *due.pending_jobs_in_group_of(job_id, settings.batch_size),
    }
    if waiting and not jump_detection.suspended_because() and pauses.global_pause() is None:
        with suppress(jump_detection.ClockJumped):  # the next tick says so
            claim_due(done, waiting, None)
        trim_history(done.claimed)
    outbox.send_soon()
    return done


def expire() -> list[Run]:
    """Step 1. With lock files this host's own runs are judged by theirs."""
    if not settings.check_lock_file:
        return lifecycle.expire(settings.batch_size)
    directory = settings.runtime_dir
    return lifecycle.expire(
        settings.batch_size, host=settings.hostname, is_held=lambda run_id: run_lock.is_held(directory, run_id)
    )


def book_edited(now: dt.datetime) -> int:
    """Step 3. Batch by batch until nothing is left that is not locked."""
    booked, began = 0, time.monotonic()
    while time.monotonic() - began < TIME_BOX.total_seconds():
        ids = due.to_book(now, settings.batch_size)
        count = lifecycle.book(ids, now) if ids else 0
        booked += count
        if not count:
            break
    return booked

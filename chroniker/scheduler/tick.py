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
from chroniker.scheduler.claiming import TIME_BOX, claim_due, forget
from chroniker.scheduler.stopping import pass_on_stops
from chroniker.scheduler.tick_result import Pass
from chroniker.worker import run_lock


def tick(only: Collection[int] | None = None, now: dt.datetime | None = None) -> Pass:
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
    done = Pass()
    sight = jump_detection.look()
    if jump_detection.is_unsettled():
        lifecycle.settle()
        if not sight.quiet:
            jump_detection.settled()
    try:
        if sight.quiet:
            raise jump_detection.Distrusted(sight)
        done.lost = expire()
        done.dispatched += dispatch.dispatch_again(now or sight.now)
        pass_on_stops()
        if pauses.of_all() is None:
            done.booked = book_edited(now or jump_detection.trusted_now())
            claim_due(done, only, now)
        done.dispatched += dispatch.take_what_was_left(now or jump_detection.trusted_now(), done.contested)
    except jump_detection.Distrusted as jump:
        hosts.note_quiet(jump.sight)
        done.quiet = jump.sight.quiet
        pass_on_stops()
    outbox.send_soon()
    forget(done.claimed)
    if not done.quiet:
        job_deletion.remove_closed()
    return done


def reconsider(job_id: int) -> Pass:
    """After a run of ``job_id`` ended: claim what waited for it, and send word of it, before the next tick would.

    That is the job itself, those that depend on it, and those for which its group had no room.
    """
    dependents = hosts.concluded(JobDependency.objects.filter(dependee=job_id)).values_list("dependent", flat=True)
    done = Pass()
    # After most runs nothing waits. The questions of a whole pass, put each time, would cost more than the run did.
    waiting = {*due.waiting([job_id, *dependents]), *due.waiting_in_group_of(job_id, settings.batch_size)}
    if waiting and not jump_detection.quiet() and pauses.of_all() is None:
        with suppress(jump_detection.Distrusted):  # the next tick says so
            claim_due(done, waiting, None)
        forget(done.claimed)
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

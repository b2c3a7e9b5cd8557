"""One tick: close lost runs, repeat lost messages, book edits, claim due jobs, dispatch their runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from contextlib import suppress

from chroniker import lifecycle, outbox
from chroniker.clock import jump_detection
from chroniker.clock.jump_detection import PassClock
from chroniker.conf import settings
from chroniker.eligibility import draining, due, hosts, pauses
from chroniker.models import JobDependency, JobTrigger, Run, installation
from chroniker.process.kernel import host_clock
from chroniker.scheduler import dispatch, fleet_work, job_deletion, pending_work, retention
from chroniker.scheduler.claiming import (
    SEARCH_ALL_CLAIMS,
    TIME_LIMIT_PER_PASS,
    ClaimSearch,
    ClockFunction,
    claim_due_jobs,
)
from chroniker.scheduler.pending_work import PendingWork
from chroniker.scheduler.stopping import stop_runs_of_jobs_with_force_stop
from chroniker.scheduler.tick_result import TickResult
from chroniker.worker.run_remains import HostProcesses

#: Jobs that a pass looks at together for alerts, whatever the size of a batch of claims: their messages become one.
JOBS_PER_ALERT_CHECK = 1000


def tick(only: Collection[int] | None = None, now: dt.datetime | None = None) -> TickResult:
    """One pass over all jobs, or over these jobs only. Any number of ticks may run at once.

    0. In a copy of the database that was not adopted, do nothing. Read the database's clock. If it
       jumped, only forward stops and send messages (steps 3 and 7) for the length of one lease.
    1. Close claims and runs whose lease has expired.
    2. Dispatch again claims whose message seems lost.
    3. Forward stops that were requested by flag; book edited jobs.
    4. Record or replace runs that overlap with their next instant.
    5. Claim due jobs, batch by batch, and dispatch each batch after its commit.
    6. Dispatch claims that other hosts' ticks made for this host.
    7. Start the thread that sends messages which are due; this pass does not wait for it.
    8. Delete surplus runs of the claimed jobs, and jobs whose deletion waited for the end of a run.
    9. Do periodic work of the fleet that is due, if no other tick has taken it.

    One statement reads the clock and shows which steps have work; a pass without work needs no other statement. A pass
    with work needs a constant number, plus a constant number for each batch of due jobs. The pass reads the database's
    clock once and checks it; each claim and expiry checks it again in its transaction. ``now`` is for tests."""
    work = pending_work.find_pending_work(now)
    result = _create_tick_result(work, PassClock(work.reading, now))
    if work.is_database_copied:
        installation.mark_database_as_copied()
        return result
    _record_identity_and_adjust_leases(work)
    try:
        if work.reading.suspended_because:
            raise jump_detection.ClockJumped(work.reading)
        _do_steps_from_expiry_to_dispatch(result, work, only)
    except jump_detection.ClockJumped as jump:
        hosts.record_suspension_of_starts(jump.reading)
        result.suspended_because = jump.reading.suspended_because
        stop_runs_of_jobs_with_force_stop()
    if work.messages or result.has_messages_to_send or result.lost:
        outbox.start_sender_if_message_due()
    if result.job_ids_over_run_limit:
        retention.delete_surplus_runs(result.job_ids_over_run_limit)
    fleet_work.do_due_periodic_work(() if result.suspended_because else work.fleet_work, work.reading.now)
    if (work.deletions or result.lost) and not result.suspended_because:  # a lost run may have been the last one
        job_deletion.delete_marked_jobs()
    return result


def _create_tick_result(work: PendingWork, clock: PassClock) -> TickResult:
    result = TickResult(began=clock(), clock=clock, is_database_copied=work.is_database_copied)
    result.next_moment, result.next_moment_is_known = work.next_moment, not work.may_change_due_times
    return result


def _record_identity_and_adjust_leases(work: PendingWork) -> None:
    """Do what is needed only in the first pass, and in the first pass after a clock jump."""
    if not work.recorded:
        installation.record_database_identity()
    if jump_detection.do_leases_need_adjustment():
        lifecycle.reset_deadlines_after_clock_jump()
        if not work.reading.suspended_because:
            lifecycle.set_lateness_start_to_now()
            jump_detection.mark_leases_adjusted()


def _do_steps_from_expiry_to_dispatch(result: TickResult, work: PendingWork, only_jobs: Collection[int] | None) -> None:
    """Do those of the steps 1 to 6 that have work."""
    clock = result.clock
    if work.expiry:
        result.lost = expire_runs()
    if work.redispatch:
        result.dispatched_run_count += dispatch.redispatch_overdue_claims(clock(), is_draining=work.draining)
    if work.stops:
        stop_runs_of_jobs_with_force_stop()
    result.draining = work.draining
    if not settings.paused and only_jobs is None:
        result.has_messages_to_send |= update_alerts(clock, work)
    has_work = work.has_work_for_claims or bool(result.lost)  # a lost run may be retried at once
    claims = has_work and not work.paused and not settings.paused and not work.draining
    if claims:
        for claimed in book_edits_and_claim_due_jobs(result, clock, only_jobs, search=work.search, edits=work.edits):
            result.dispatched_run_count += dispatch.dispatch(claimed, clock(), is_new=True)
    # Another host may have claimed for this one since the first statement.
    if claims or (work.claims_for_this_host and not work.draining):
        others = result.job_ids_claimed_by_others
        result.dispatched_run_count += dispatch.dispatch_claims_that_need_this_host(clock(), others)


def update_alerts(clock: ClockFunction, work: PendingWork) -> bool:
    """Update the alerts that are due. Returns whether an alert is reported.

    Called before the claims of the pass, so that a job that has waited too long counts as late. A process that is
    paused by its settings does not call it: other processes update the alerts, or this process after the pause.
    """
    if work.alert_changes:
        lifecycle.schedule_alert_checks_after_changes()
    began, reported, more = host_clock.monotonic(), False, work.alerts or work.alert_changes
    while more and host_clock.monotonic() - began < TIME_LIMIT_PER_PASS.total_seconds():
        looked_at, found = lifecycle.update_due_alerts(clock(), JOBS_PER_ALERT_CHECK)
        reported, more = reported or found, looked_at >= JOBS_PER_ALERT_CHECK
    return reported


def book_edits_and_claim_due_jobs(
    result: TickResult,
    clock: ClockFunction,
    only_jobs: Collection[int] | None,
    *,
    search: ClaimSearch = SEARCH_ALL_CLAIMS,
    edits: bool = True,
) -> Iterator[list[Run]]:
    """Do the second half of step 3, and steps 4 and 5, without the dispatch. Yields the claimed runs of each batch."""
    if edits:
        result.booked_job_count = book_edited_jobs(clock())
    if result.booked_job_count or result.lost:
        search = SEARCH_ALL_CLAIMS
    yield from claim_due_jobs(result, clock, only_jobs, search)


def claim_after_run(job_id: int) -> TickResult:
    """After a run of ``job_id`` ended: claim the jobs that waited for it, and send its messages, before the next tick.

    That is the job itself, its dependents, the jobs that it triggers, and the jobs for which its group had no room.
    """
    # After most runs nothing waits. The statements of a complete pass would cost more than the run itself.
    is_pending, has_messages = due.are_claims_and_messages_due_after_run(job_id)
    result = _claim_after_run(job_id) if is_pending else TickResult()
    if has_messages or is_pending:
        outbox.start_sender_if_message_due()
    return result


def _claim_after_run(job_id: int) -> TickResult:
    links = hosts.exclude_dependees_open_on_every_host(JobDependency.objects.filter(dependee=job_id))
    dependents = links.values("dependent")
    targets = JobTrigger.objects.filter(source=job_id).values("target")
    waiting = {
        *due.find_jobs_with_pending_work([job_id, *dependents.union(targets).values_list("dependent", flat=True)]),
        *due.find_pending_jobs_in_group_of_job(job_id, settings.batch_size),
    }
    return claim_and_dispatch(waiting)


def claim_and_dispatch(job_ids: Collection[int]) -> TickResult:
    """Claim and dispatch the pending runs of these jobs, if a tick would do it now."""
    result = TickResult()
    if job_ids and _may_claim():
        with suppress(jump_detection.ClockJumped):  # the next tick records it
            clock = PassClock(jump_detection.read_trusted_clock())
            for claimed in claim_due_jobs(result, clock, job_ids):
                result.dispatched_run_count += dispatch.dispatch(claimed, clock(), is_new=True)
        retention.delete_surplus_runs(result.job_ids_over_run_limit)
    return result


def _may_claim() -> bool:
    """Whether claims are allowed: not during a clock jump, a pause or a drain of this host. Two statements."""
    if jump_detection.suspended_because() or pauses.global_pause() is not None:
        return False
    return not draining.select_this_host_if_draining().exists()


def expire_runs() -> list[Run]:
    """Step 1. The remaining processes of a run of this host are killed before the run is closed as lost."""
    here = HostProcesses(settings.hostname, settings.runtime_dir, has_lock_files=settings.check_lock_file)
    return lifecycle.expire_runs(settings.batch_size, here)


def book_edited_jobs(now: dt.datetime) -> int:
    """Step 3. Book edited jobs, batch by batch, until only locked jobs are left."""
    booked, began = 0, host_clock.monotonic()
    while host_clock.monotonic() - began < TIME_LIMIT_PER_PASS.total_seconds():
        ids = due.find_jobs_to_book(now, settings.batch_size)
        count = lifecycle.book_next_instants(ids, now) if ids else 0
        booked += count
        if not count:
            break
    return booked

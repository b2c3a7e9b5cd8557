"""One pass: expire the lost, dispatch again what was not taken, find the due, claim them, dispatch them."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from chroniker import (
    clockwatch,
    command_options,
    commands,
    dependencies,
    due,
    handover,
    hosts,
    lifecycle,
    outbox,
    pauses,
    removal,
    retention,
    runlock,
)
from chroniker.conf import settings
from chroniker.exceptions import ClaimRefused, CommandRefused
from chroniker.lifecycle import plan
from chroniker.models import EVERY_HOST, EventKind, Job, JobDependency, JobState, Lease, Run
from chroniker.models.calendar import fetch_closed_times

logger = logging.getLogger(__name__)

#: A pass begins no further batch after this time, so that expiry and re-dispatch are not starved by a long backlog.
TIME_BOX = dt.timedelta(seconds=30)

Find = Callable[[dt.datetime, Collection[int] | None], QuerySet[JobState]]
Draw = Callable[[JobState, dt.datetime], lifecycle.Plan]


@dataclass(slots=True)
class Pass:
    """What one pass did."""

    claimed: list[Run] = field(default_factory=list)
    lost: list[Run] = field(default_factory=list)
    dispatched: int = 0
    booked: int = 0
    quiet: str = ""  #: why it expired and claimed nothing
    contested: set[int] = field(default_factory=set)  #: jobs for this host that another claimer was quicker with


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
    sight = clockwatch.look()
    if clockwatch.is_unsettled():
        lifecycle.settle()
        if not sight.quiet:
            clockwatch.settled()
    try:
        if sight.quiet:
            raise clockwatch.Distrusted(sight)
        done.lost = expire()
        done.dispatched += handover.dispatch_again(now or sight.now)
        pass_on_stops()
        if pauses.of_all() is None:
            done.booked = book_edited(now or clockwatch.trusted_now())
            claim_due(done, only, now)
        done.dispatched += handover.take_what_was_left(now or clockwatch.trusted_now(), done.contested)
    except clockwatch.Distrusted as jump:
        hosts.note_quiet(jump.sight)
        done.quiet = jump.sight.quiet
        pass_on_stops()
    outbox.send_soon()
    forget(done.claimed)
    if not done.quiet:
        removal.remove_closed()
    return done


def reconsider(job_id: int) -> Pass:
    """After a run of ``job_id`` ended: claim what waited for it, and send word of it, before the next tick would.

    That is the job itself, those that depend on it, and those for which its group had no room.
    """
    dependents = hosts.concluded(JobDependency.objects.filter(dependee=job_id)).values_list("dependent", flat=True)
    done = Pass()
    # After most runs nothing waits. The questions of a whole pass, put each time, would cost more than the run did.
    waiting = {*due.waiting([job_id, *dependents]), *due.waiting_in_group_of(job_id, settings.batch_size)}
    if waiting and not clockwatch.quiet() and pauses.of_all() is None:
        with suppress(clockwatch.Distrusted):  # the next tick says so
            claim_due(done, waiting, None)
        forget(done.claimed)
    outbox.send_soon()
    return done


def run_now(job: Job, by: str, args: str | None = None) -> Run:
    """Claim and dispatch one run of ``job`` now, because ``by`` asks; the schedule stays where it is.

    ``args``: in place of the job's own arguments, for this run and its retries. Raises ``ClaimRefused`` with the
    reason when it may not run: it claims like everyone else.
    """
    if args is not None:
        _refuse_bad(job, args)
    if not Job.objects.filter(pk=job.pk, edited_at=None, state__isnull=False).exists():
        lifecycle.book([job.pk], _now_for_a_person())
    state = JobState.objects.select_related("job__group").get(pk=job.pk)
    _refuse_if_not_free(state)
    now = _now_for_a_person()
    claimed = lifecycle.claim([plan.by_hand(state, now, args)], now, wait=True)
    if not claimed:
        _refuse_if_not_free(JobState.objects.select_related("job__group").get(pk=job.pk))
        raise ClaimRefused(_("Someone else changed or claimed the job just now; look again."))
    lifecycle.note(claimed[0].pk, EventKind.NOTE, _("asked for by %(who)s") % {"who": by})
    transaction.on_commit(lambda: handover.dispatch(claimed, now), using=settings.database, robust=True)
    transaction.on_commit(lambda: forget(claimed), using=settings.database, robust=True)
    return claimed[0]


def stop(run_id: UUID | str, by: str) -> bool:
    """Ask a run to stop, and hint its worker; whether it was open."""
    run = Run.objects.filter(pk=run_id).select_related("job").first()
    if run is None or not lifecycle.request_stop(run.pk, by):
        return False
    transaction.on_commit(lambda: handover.hint(run), using=settings.database, robust=True)
    return True


def expire() -> list[Run]:
    """Step 1. With lock files this host's own runs are judged by theirs."""
    if not settings.check_lock_file:
        return lifecycle.expire(settings.batch_size)
    directory = settings.runtime_dir
    return lifecycle.expire(
        settings.batch_size, host=settings.hostname, is_held=lambda run_id: runlock.is_held(directory, run_id)
    )


def pass_on_stops() -> None:
    """Step 3, second half: jobs whose ``force_stop`` flag is up. The flag is lowered also where nothing runs."""
    # "IN (true)" for the index, as in ``due.forced``; and not in the order of names, for which all would be read.
    raised = Job.objects.filter(force_stop__in=[True]).order_by("pk")
    flagged = list(raised.values_list("pk", flat=True)[: settings.batch_size])
    if flagged:
        for lease in Lease.objects.filter(job__in=flagged, slot=""):
            stop(lease.run_id, _("the force-stop flag"))
        Job.objects.filter(pk__in=flagged).update(force_stop=False)


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


def replace(now: dt.datetime, only: Collection[int] | None) -> None:
    """Step 4: stop what is to make room for the next instant. One that is skipped for a blackout needs none."""
    leases = list(due.to_replace(now, only).select_related("job__state")[: settings.batch_size])
    fetch_closed_times(lease.job for lease in leases)
    for lease in leases:
        lease.job.state.job = lease.job
        if not lease.job.closed_times or not _in_blackout(lease.job.state, now):
            stop(lease.run_id, _("the overlap policy: replace"))


def _in_blackout(state: JobState, now: dt.datetime) -> bool:
    try:
        return plan.in_blackout(state, now)
    except Exception:  # whatever a schedule raises concerns this job alone; drawing its plan sets it aside
        logger.exception("Whether a blackout holds job %s cannot be computed.", state.pk)
        return False


def claim_due(done: Pass, only: Collection[int] | None, now: dt.datetime | None) -> None:
    """Steps 4 and 5. The clock is read anew for each batch, unless ``now`` is given."""
    replace(now or clockwatch.trusted_now(), only)
    _claim_all(done, due.overlapped, plan.overlapped, only, now)
    _claim_all(done, due.forced, plan.by_hand, only, now, by_flag=True)
    _claim_all(done, due.scheduled, plan.scheduled, only, now)
    _claim_all(done, due.retries, plan.retry, only, now)


def _claim_all(
    done: Pass,
    find: Find,
    draw: Draw,
    only: Collection[int] | None,
    now: dt.datetime | None,
    *,
    by_flag: bool = False,
) -> None:
    began, empty = time.monotonic(), 0
    while empty < 3 and time.monotonic() - began < TIME_BOX.total_seconds():
        moment = now or clockwatch.trusted_now()
        states = list(find(moment, only)[: settings.batch_size])
        if not states:
            return
        plans = _draw_all(states, draw, moment)
        claimed = lifecycle.claim(plans, moment, by_flag=by_flag)
        done.claimed += claimed
        won = {run.job_id for run in claimed}
        mine = {settings.hostname, EVERY_HOST}
        done.contested |= {state.pk for state in states if state.job.hostname in mine} - won
        done.dispatched += handover.dispatch(claimed, moment)
        if len(states) < settings.batch_size:
            return
        empty = 0 if claimed else empty + 1  # a full batch of which nothing was ours: others are at it


def _draw_all(states: Sequence[JobState], draw: Draw, now: dt.datetime) -> list[lifecycle.Plan]:
    """Plan each job. One whose schedule raises is set aside; one edited behind the form's back is booked."""
    until = dependencies.ready_until([state.pk for state in states], now) if draw is plan.scheduled else {}
    if draw in (plan.scheduled, plan.overlapped):
        fetch_closed_times(state.job for state in states)
    plans, changed = [], []
    for state in states:
        try:
            if draw in (plan.scheduled, plan.overlapped) and state.booked_spec != state.job.spec.fingerprint():
                changed.append(state.pk)
            elif state.pk in until:
                plans.append(plan.scheduled(state, now, until[state.pk]))
            else:
                plans.append(draw(state, now))
        except Exception as error:  # whatever a schedule raises concerns this job alone
            logger.exception("Job %s is set aside: its schedule cannot be computed.", state.pk)
            lifecycle.set_aside(state.pk, error)
    if changed:
        lifecycle.book(changed, now)
    return plans


def forget(claimed: Sequence[Run]) -> None:
    """Step 8, by whoever claims: a history grows by claims alone."""
    retention.trim([run.job_id for run in claimed])


def _now_for_a_person() -> dt.datetime:
    try:
        return clockwatch.trusted_now()
    except clockwatch.Distrusted as jump:
        raise ClaimRefused(due.distrust(jump.sight.quiet)) from jump


def _refuse_bad(job: Job, args: str) -> None:
    if not job.command:
        raise ClaimRefused(_("A raw command has its arguments in its own line; they cannot be others for once."))
    try:
        commands.management_argv(job.command, args)
        said = command_options.objection(job.command, args)
    except CommandRefused as refusal:
        raise ClaimRefused(str(refusal)) from refusal
    if said:
        raise ClaimRefused(said)


def _refuse_if_not_free(state: JobState) -> None:
    if reason := due.hindrance(state):
        raise ClaimRefused(reason)

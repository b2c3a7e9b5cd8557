"""Why a job does not run now, for people. Read-only; a constant number of statements for any number of jobs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.clock import jump_detection
from chroniker.conf import settings
from chroniker.eligibility import dependencies, due, hosts, liveness, pauses, waiting_activations
from chroniker.eligibility import groups as group_limits
from chroniker.eligibility.claim_kinds import BACKFILL, has_retry_first, pending_kinds
from chroniker.eligibility.dependencies import Scope, Wait
from chroniker.eligibility.liveness import Seen
from chroniker.models import EVERY_HOST, JobState, Lease, Status
from chroniker.reasons import Reason
from chroniker.schedule import Frequency
from chroniker.wording.formats import short_time


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job does not run now, as text. ``is_held``: a rule holds it back: pause, dependency, group, failure."""

    text: str
    is_held: bool = False
    without_tick: str = ""  #: it waits for a tick, and for nothing else: the text since when nothing ticks
    n_waiting: int = 0  #: activations that wait for it


def reason_cannot_run_now(state: JobState) -> str | None:
    """For people: why this job cannot be run by hand now; ``None``: it can."""
    return reasons_cannot_run_now([state])[state.pk]


def reasons_cannot_run_now(states: Collection[JobState]) -> dict[int, str | None]:
    """The same for many jobs, in a constant number of statements. Each state must carry its ``job``."""
    ids = [state.pk for state in states]
    leases = {lease.job_id: lease for lease in Lease.objects.filter(job__in=ids, slot="").select_related("run")}
    held = pauses.pauses_for([state.job for state in states])
    why = jump_detection.suspended_because()
    # A run for one host waits for it; one for every host would have no child.
    missing = hosts.jobs_without_live_host([state.job for state in states if state.job.hostname == EVERY_HOST])
    waits = dependencies.reasons_to_wait(ids)
    full = group_limits.full_groups(state.job.group_id for state in states if state.job.group_id is not None)

    def reason(state: JobState) -> str | None:
        if state.pk in leases:
            return _open_reason(leases[state.pk])
        if not state.job.enabled:
            return _("It is disabled.")
        if state.pk in held:
            return str(held[state.pk])
        if why:
            return clock_jump_message(why)
        if state.pk in missing:
            return missing[state.pk]
        if texts := [wait.text for wait in waits.get(state.pk, ()) if not wait.turn_only]:
            return _("It %(reasons)s.") % {"reasons": "; ".join(texts)}
        words = full.get(state.job.group_id or 0)
        return _("It has to wait: %(reason)s.") % {"reason": words} if words else None

    return {state.pk: reason(state) for state in states}


def clock_jump_message(why: Reason) -> str:
    """``why``: what the database's clock did."""
    return _("%(why)s Starts on this host are suspended for %(seconds)d s.") % {
        "why": why,
        "seconds": settings.lease.total_seconds(),
    }


def why_not(
    states: Collection[JobState],
    now: dt.datetime,
    held: dict[int, pauses.Pause] | None = None,
    missing: dict[int, str] | None = None,
) -> dict[int, str]:
    """The texts of ``explain``."""
    return {pk: found.text for pk, found in explain(states, now, held, missing).items()}


def explain(
    states: Collection[JobState],
    now: dt.datetime,
    held: dict[int, pauses.Pause] | None = None,
    missing: dict[int, str] | None = None,
    leases: dict[int, Lease] | None = None,
    seen: Seen | None = None,
) -> dict[int, Explanation]:
    """For people: for each job, why it does not run at ``now``. A constant number of statements.

    Each state must carry its ``job``. A job that is due and not blocked waits for the next tick. ``held``: the pauses
    of these jobs, if the caller has read them; ``missing``: likewise, that the hosts of these jobs are not live;
    ``leases``: likewise, their open runs; ``seen``: likewise, who ticks and works.
    """
    if leases is None:
        open_runs = Lease.objects.filter(job__in=[state.pk for state in states], slot="").select_related("run")
        leases = {lease.job_id: lease for lease in open_runs}
    activations = waiting_activations.count_by_job([state.pk for state in states])
    for state in states:
        state.__dict__["n_waiting"] = activations.get(state.pk, 0)
    pending = [state for state in states if state.pk not in leases and state.job.enabled and pending_kinds(state, now)]
    waits = _waits(pending, now)
    held = pauses.pauses_for([state.job for state in states]) if held is None else held
    missing = hosts.jobs_without_live_host([state.job for state in states]) if missing is None else missing
    suspended = " ".join(hosts.suspension_messages()) if pending else ""
    found = {it.pk: _why_not(it, leases.get(it.pk), waits.get(it.pk, []), held.get(it.pk), now) for it in states}
    found = _mention_silence(found, now, seen)
    for state in states:
        lease, more = leases.get(state.pk), []
        if state.pk in missing and (state.job.enabled if lease is None else lease.run.status == Status.CLAIMED):
            more.append(missing[state.pk])
        if suspended and state in pending:
            more.append(suspended)
        if n := activations.get(state.pk, 0):
            more.append(activations_text(n))
        if more:
            text = " ".join([found[state.pk].text, *more])
            found[state.pk] = replace(found[state.pk], text=text, n_waiting=activations.get(state.pk, 0))
    return _mention_unserved_queues(found, leases, now, seen)


def activations_text(n: int) -> str:
    return ngettext("%(n)d activation waits for it.", "%(n)d activations wait for it.", n) % {"n": n}


def _mention_silence(found: dict[int, Explanation], now: dt.datetime, seen: Seen | None) -> dict[int, Explanation]:
    """Say so where a job waits for a tick and nothing ticks. One statement for such jobs; none with ``seen``."""
    waiting = {pk: each for pk, each in found.items() if each.without_tick}
    tickers = (liveness.tickers() if seen is None else seen.tickers) if waiting else []
    silent = liveness.silent_ticker(tickers, now)
    if silent is None:
        return found
    words = {"time": short_time(silent.last_at, now)}
    return found | {pk: replace(each, text=each.without_tick % words) for pk, each in waiting.items()}


def _mention_unserved_queues(
    found: dict[int, Explanation], leases: dict[int, Lease], now: dt.datetime, seen: Seen | None
) -> dict[int, Explanation]:
    """Say so where a queued run waits for a worker of a queue that has none. Two statements for such runs; none with
    ``seen``."""
    queued = {pk: lease.run for pk, lease in leases.items() if pk in found and lease.run.status == Status.CLAIMED}
    unserved = liveness.find_queues_without_worker(now, seen) if queued else {}
    for pk, run in queued.items():
        if run.taken_at is None and (run.executor, run.queue) in unserved:
            text = _("No worker consumes the queue “%(queue)s”.") % {"queue": run.queue or run.executor}
            found[pk] = replace(found[pk], text=f"{found[pk].text} {text}")
    return found


def _waits(states: Collection[JobState], now: dt.datetime) -> dict[int, list[Wait]]:
    """What holds these jobs back: dependencies, and groups without room. Three statements; none without jobs.

    A backfill leaves the room in a group to its due jobs, which takes one more statement.
    """
    if not states:
        return {}
    waits = dependencies.reasons_to_wait([state.pk for state in states])
    full = group_limits.full_groups(state.job.group_id for state in states if state.job.group_id is not None)
    for state in states:
        if state.job.group_id in full:
            waits.setdefault(state.pk, []).append(Wait(full[state.job.group_id]))
    last = [state for state in states if state.job.group_id and pending_kinds(state, now) == [BACKFILL]]
    busy = due.groups_with_urgent_work(now) if last else []
    for state in last:
        if state.job.group_id in busy and state.job.group_id not in full:
            waits.setdefault(state.pk, []).append(Wait(_("another job of its group is due")))
    return waits


def _why_not(
    state: JobState, lease: Lease | None, waits: list[Wait], pause: pauses.Pause | None, now: dt.datetime
) -> Explanation:
    if lease is not None:
        return Explanation(_open_reason(lease, now))
    if not state.job.enabled:
        return Explanation(_("It is disabled."))
    pending = pending_kinds(state, now)
    is_backfill = pending == [BACKFILL]
    if state.schedule_error and not pending:
        return Explanation(_("Schedule error: %(error)s") % {"error": state.schedule_error})
    if pause is not None:
        return Explanation(str(pause), bool(pending))
    if state.held_at is not None and not pending:
        return Explanation(held_message(state), True)
    needs_turn = all(kind.dependencies is Scope.ALL for kind in pending)
    texts = [wait.text for wait in waits if needs_turn or not wait.turn_only]
    if state.job.edited_at is not None:
        silent = _("It was edited, and nothing has ticked since %(time)s.")
        return Explanation(_("It was edited; the next tick books it."), bool(pending and texts), silent)
    if not pending:
        return Explanation(_why_not_due(state, now), has_retry_first(state))
    if is_backfill and texts:
        return Explanation(_("Its backfill waits: %(reasons)s.") % {"reasons": "; ".join(texts)}, True)
    if is_backfill:
        silent = _("Its backfill waits: nothing has ticked since %(time)s.")
        return Explanation(_("The next tick starts the next run of its backfill."), without_tick=silent)
    if texts:
        return Explanation(_("It is due, but %(reasons)s.") % {"reasons": "; ".join(texts)}, True)
    silent = _("It is due, and nothing has ticked since %(time)s.")
    return Explanation(_("It is due; the next tick starts it."), without_tick=silent)


def held_message(state: JobState) -> str:
    """Of a job that is held after a failure."""
    return _("It has been held since run %(token)s failed.") % {"token": state.held_by_run}


def _why_not_due(state: JobState, now: dt.datetime) -> str:
    is_first = has_retry_first(state) or not (state.next_run and state.retry_at and state.next_run < state.retry_at)
    if state.retry_at is not None and is_first:
        return _("It failed and is retried at %(time)s.") % {"time": short_time(state.retry_at, now)}
    if state.job.frequency == Frequency.MANUAL:
        return _("It has no schedule; it runs by hand or by a trigger.")
    if state.next_run is None:
        return _("It has no further scheduled time.")
    if state.backfill_at is not None:
        words = {"time": short_time(state.next_run, now), "backfill": short_time(state.backfill_at, now)}
        return _("Its next run is at %(time)s. Its backfill goes on at %(backfill)s.") % words
    return _("Its next run is at %(time)s.") % {"time": short_time(state.next_run, now)}


def _open_reason(lease: Lease, now: dt.datetime | None = None) -> str:
    run = lease.run
    if run.status == Status.RUNNING:
        if run.stop_requested_at is not None:
            return _("It is running; its stop was requested.")
        if run.required_host == EVERY_HOST:
            words = {"done": lease.total_parts_complete or 0, "all": lease.total_parts or 0}
            return _("It is running on every host; %(done)d of %(all)d have reported.") % words
        return _("It is running.")
    if run.dispatched_at is None:
        return _("It is claimed; no executor has taken it yet. %(why)s") % {"why": run.reason}
    since = short_time(run.claimed_at, now)
    return _("It has been queued since %(time)s; no worker has taken it yet.") % {"time": since}

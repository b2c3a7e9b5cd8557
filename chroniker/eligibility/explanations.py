"""Why a job does not run now, for people. Read-only; a constant number of statements for any number of jobs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.clock import jump_detection
from chroniker.conf import settings
from chroniker.eligibility import dependencies, due, groups, hosts, liveness, pauses, waiting_activations
from chroniker.eligibility.claim_kinds import BACKFILL, does_retry_come_first, pending_kinds
from chroniker.eligibility.dependencies import DependencyScope, WaitReason
from chroniker.eligibility.liveness import FleetSnapshot
from chroniker.models import EVERY_HOST, JobState, Lease, Status
from chroniker.reasons import Reason
from chroniker.schedule import Frequency
from chroniker.wording.formats import short_time


@dataclass(frozen=True, slots=True)
class JobExplanation:
    """Why a job does not run now, as text. ``is_held``: a pause, dependency, group or failure holds it back."""

    text: str
    is_held: bool = False
    text_without_tick: str = ""  #: the text if nothing ticks; empty unless the job waits only for a tick
    n_waiting: int = 0  #: how many activations wait for the job


ExplanationsByJob = dict[int, JobExplanation]


def reason_job_cannot_run_now(state: JobState) -> str | None:
    """For people: why this job cannot be run by hand now; ``None``: it can."""
    return reasons_jobs_cannot_run_now([state])[state.pk]


def reasons_jobs_cannot_run_now(states: Collection[JobState]) -> dict[int, str | None]:
    """The same for many jobs, in a constant number of statements. Each state must carry its ``job``."""
    ids = [state.pk for state in states]
    leases = {lease.job_id: lease for lease in Lease.objects.filter(job__in=ids, slot="").select_related("run")}
    held = pauses.read_pauses_of_jobs([state.job for state in states])
    why = jump_detection.suspended_because()
    # A run for one host can wait for that host. A run for every host would have no child, so it cannot be requested.
    missing = hosts.no_live_host_messages([state.job for state in states if state.job.hostname == EVERY_HOST])
    waits = dependencies.read_reasons_to_wait(ids)
    full = groups.full_group_texts(state.job.group_id for state in states if state.job.group_id is not None)

    def reason(state: JobState) -> str | None:
        if state.pk in leases:
            return _open_run_text(leases[state.pk])
        if not state.job.enabled:
            return _("It is disabled.")
        if state.pk in held:
            return str(held[state.pk])
        if why:
            return clock_jump_message(why)
        if state.pk in missing:
            return missing[state.pk]
        if texts := [wait.text for wait in waits.get(state.pk, ()) if not wait.blocks_scheduled_runs_only]:
            return _("It %(reasons)s.") % {"reasons": "; ".join(texts)}
        words = full.get(state.job.group_id or 0)
        return _("It must wait: %(reason)s.") % {"reason": words} if words else None

    return {state.pk: reason(state) for state in states}


def clock_jump_message(reason: Reason) -> str:
    """For people: starts are suspended. ``reason``: what the database's clock did."""
    return _("%(why)s After that, this host starts no runs for %(seconds)d s.") % {
        "why": reason,
        "seconds": settings.lease.total_seconds(),
    }


def explanation_texts(
    states: Collection[JobState],
    now: dt.datetime,
    pauses_by_job: dict[int, pauses.Pause] | None = None,
    host_messages: dict[int, str] | None = None,
) -> dict[int, str]:
    """The texts of ``explain_why_not_running``."""
    return {pk: found.text for pk, found in explain_why_not_running(states, now, pauses_by_job, host_messages).items()}


def explain_why_not_running(
    states: Collection[JobState],
    now: dt.datetime,
    pauses_by_job: dict[int, pauses.Pause] | None = None,
    host_messages: dict[int, str] | None = None,
    leases: dict[int, Lease] | None = None,
    snapshot: FleetSnapshot | None = None,
) -> ExplanationsByJob:
    """For people: for each job, why it does not run at ``now``. A constant number of statements.

    Each state must carry its ``job``. A job that is due and not blocked waits for the next tick. The optional
    parameters are what the caller has read already: pauses, hosts that are not live, leases of open runs, the fleet.
    """
    if leases is None:
        open_runs = Lease.objects.filter(job__in=[state.pk for state in states], slot="").select_related("run")
        leases = {lease.job_id: lease for lease in open_runs}
    activations = waiting_activations.count_waiting_activations_by_job([state.pk for state in states])
    for state in states:
        state.__dict__["n_waiting"] = activations.get(state.pk, 0)
    pending = [state for state in states if state.pk not in leases and state.job.enabled and pending_kinds(state, now)]
    waits, jobs = _read_wait_reasons(pending, now), [state.job for state in states]
    pauses_by_job = pauses.read_pauses_of_jobs(jobs) if pauses_by_job is None else pauses_by_job
    host_messages = hosts.no_live_host_messages(jobs) if host_messages is None else host_messages
    suspended = " ".join(hosts.suspension_messages()) if pending else ""
    found = {
        it.pk: _explain_job(it, leases.get(it.pk), waits.get(it.pk, []), pauses_by_job.get(it.pk), now) for it in states
    }
    found = _mention_missing_ticks(found, now, snapshot)
    for state in states:
        lease, more = leases.get(state.pk), []
        if state.pk in host_messages and (state.job.enabled if lease is None else lease.run.status == Status.CLAIMED):
            more.append(host_messages[state.pk])
        if suspended and state in pending:
            more.append(suspended)
        if n := activations.get(state.pk, 0):
            more.append(activations_text(n))
        if more:
            found[state.pk] = replace(found[state.pk], text=" ".join([found[state.pk].text, *more]), n_waiting=n)
    return _mention_unserved_queues(found, leases, now, snapshot)


def activations_text(n: int) -> str:
    return ngettext("%(n)d activation waits for it.", "%(n)d activations wait for it.", n) % {"n": n}


def _mention_missing_ticks(
    explanations: ExplanationsByJob, now: dt.datetime, snapshot: FleetSnapshot | None
) -> ExplanationsByJob:
    """Change the text of jobs that wait for a tick if nothing ticks. At most one statement; none with ``snapshot``."""
    waiting = {pk: each for pk, each in explanations.items() if each.text_without_tick}
    tickers = (liveness.read_latest_tickers() if snapshot is None else snapshot.tickers) if waiting else []
    silent = liveness.last_ticker_if_all_silent(tickers, now)
    if silent is None:
        return explanations
    words = {"time": short_time(silent.last_at, now)}
    return explanations | {pk: replace(each, text=each.text_without_tick % words) for pk, each in waiting.items()}


def _mention_unserved_queues(
    explanations: ExplanationsByJob, leases: dict[int, Lease], now: dt.datetime, snapshot: FleetSnapshot | None
) -> ExplanationsByJob:
    """Add a text where a queued run waits in a queue without a worker. At most two statements; none with
    ``snapshot``."""
    queued = {
        pk: lease.run for pk, lease in leases.items() if pk in explanations and lease.run.status == Status.CLAIMED
    }
    unserved = liveness.find_queues_without_worker(now, snapshot) if queued else {}
    for pk, run in queued.items():
        if run.taken_at is None and (run.executor, run.queue) in unserved:
            text = _("No worker consumes the queue “%(queue)s”.") % {"queue": run.queue or run.executor}
            explanations[pk] = replace(explanations[pk], text=f"{explanations[pk].text} {text}")
    return explanations


def _read_wait_reasons(states: Collection[JobState], now: dt.datetime) -> dict[int, list[WaitReason]]:
    """The dependencies and full groups that hold these jobs back. Three statements; none without jobs.

    One more statement for backfills: they leave the last places of a group to its due jobs.
    """
    if not states:
        return {}
    waits = dependencies.read_reasons_to_wait([state.pk for state in states])
    full = groups.full_group_texts(state.job.group_id for state in states if state.job.group_id is not None)
    for state in states:
        if state.job.group_id in full:
            waits.setdefault(state.pk, []).append(WaitReason(full[state.job.group_id]))
    last = [state for state in states if state.job.group_id and pending_kinds(state, now) == [BACKFILL]]
    busy = due.find_groups_with_urgent_work(now) if last else []
    for state in last:
        if state.job.group_id in busy and state.job.group_id not in full:
            waits.setdefault(state.pk, []).append(WaitReason(_("another job of its group is due")))
    return waits


def _explain_job(
    state: JobState, lease: Lease | None, waits: list[WaitReason], pause: pauses.Pause | None, now: dt.datetime
) -> JobExplanation:
    if lease is not None:
        return JobExplanation(_open_run_text(lease, now))
    if not state.job.enabled:
        return JobExplanation(_("It is disabled."))
    pending = pending_kinds(state, now)
    is_backfill = pending == [BACKFILL]
    if state.schedule_error and not pending:
        return JobExplanation(_("Schedule error: %(error)s") % {"error": state.schedule_error})
    if pause is not None:
        return JobExplanation(str(pause), bool(pending))
    if state.held_at is not None and not pending:
        return JobExplanation(hold_message(state), True)
    needs_turn = all(kind.dependencies is DependencyScope.ALL for kind in pending)
    texts = [wait.text for wait in waits if needs_turn or not wait.blocks_scheduled_runs_only]
    if state.job.edited_at is not None:
        silent = _("It was edited, and nothing has ticked since %(time)s.")
        return JobExplanation(_("It was edited; the next tick applies the edit."), bool(pending and texts), silent)
    if not pending:
        return JobExplanation(_explain_why_not_due(state, now), does_retry_come_first(state))
    if is_backfill and texts:
        return JobExplanation(_("Its backfill is due, but %(reasons)s.") % {"reasons": "; ".join(texts)}, True)
    if is_backfill:
        silent = _("Its backfill waits: nothing has ticked since %(time)s.")
        return JobExplanation(_("The next tick starts the next run of its backfill."), text_without_tick=silent)
    if texts:
        return JobExplanation(_("It is due, but %(reasons)s.") % {"reasons": "; ".join(texts)}, True)
    silent = _("It is due, and nothing has ticked since %(time)s.")
    return JobExplanation(_("It is due; the next tick starts it."), text_without_tick=silent)


def hold_message(state: JobState) -> str:
    """For people: since which failed run this job has been held."""
    return _("It has been held since run %(token)s failed.") % {"token": state.held_by_run}


def _explain_why_not_due(state: JobState, now: dt.datetime) -> str:
    is_first = does_retry_come_first(state) or not (
        state.next_run and state.retry_at and state.next_run < state.retry_at
    )
    if state.retry_at is not None and is_first:
        return _("It failed and will be retried at %(time)s.") % {"time": short_time(state.retry_at, now)}
    if state.job.frequency == Frequency.MANUAL:
        return _("It has no schedule; it is started by hand or by a trigger.")
    if state.next_run is None:
        return _("It has no further scheduled time.")
    if state.backfill_at is not None:
        words = {"time": short_time(state.next_run, now), "backfill": short_time(state.backfill_at, now)}
        return _("Its next run is at %(time)s. Its backfill continues at %(backfill)s.") % words
    return _("Its next run is at %(time)s.") % {"time": short_time(state.next_run, now)}


def _open_run_text(lease: Lease, now: dt.datetime | None = None) -> str:
    run = lease.run
    if run.status == Status.RUNNING:
        if run.stop_requested_at is not None:
            return _("It is running; a stop was requested.")
        if run.required_host == EVERY_HOST:
            words = {"done": lease.total_parts_complete or 0, "all": lease.total_parts or 0}
            return _("It is running on every host; results received: %(done)d of %(all)d.") % words
        return _("It is running.")
    if run.dispatched_at is None:
        return _("It is claimed; no executor has taken it yet. %(why)s") % {"why": run.reason}
    since = short_time(run.claimed_at, now)
    return _("It has been queued since %(time)s; no worker has taken it yet.") % {"time": since}

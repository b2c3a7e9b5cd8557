"""Finds due jobs by SQL, and for any job the reason why it does not run now. Read-only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import FromNow
from chroniker.conf import settings
from chroniker.eligibility import claim_kinds, dependencies, hosts, pauses
from chroniker.eligibility import groups as group_limits
from chroniker.eligibility.claim_kinds import RETRY, START_KINDS, ClaimKind, any_pending, pending_kinds
from chroniker.eligibility.dependencies import Scope, Wait
from chroniker.models import EVERY_HOST, Job, JobState, Lease, Overlap, Run, Status
from chroniker.reasons import Reason
from chroniker.schedule.zones import zone_rules_version


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job does not run now, as text. ``is_held``: it is due, and a pause, dependency or group holds it back."""

    text: str
    is_held: bool = False


# Each kind is searched for apart: "next_run <= now OR force_run" would lose the index on a large table.


def find(
    kind: ClaimKind, now: dt.datetime, only: Collection[int] | None = None, *, groups: bool = True
) -> QuerySet[JobState]:
    """Jobs for which a claim of this kind is pending and nothing blocks it, the longest waiting first.

    Each state carries its job and group. ``only``: among these jobs. ``groups``: whether any group may be paused or
    full. The pause over all jobs is not part of it: a tick reads that once, and each claim once more under its locks.
    """
    has_open_run = Exists(Lease.objects.filter(job=OuterRef("pk"), slot=""))
    states = JobState.objects.filter(kind.pending(now), job__enabled=True).select_related("job__group")
    states = states.defer("recent_seconds")
    if only is not None:
        states = states.filter(pk__in=only)
    states = states.filter(has_open_run if kind.while_open else ~has_open_run)
    if groups:
        states = states.filter(group_limits.is_not_paused() if kind.while_open else group_limits.is_open())
    states = states.filter(~dependencies.blocked(kind.dependencies))
    if kind is RETRY:
        states = states.annotate(**{f"failed_{name}": _of_latest_attempt(name) for name in claim_kinds.RETRY_INHERITS})
    return states.order_by(*filter(None, [kind.due_field]), "pk")


def _of_latest_attempt(name: str) -> Subquery:
    """A column of the attempt that failed."""
    attempts = Run.objects.filter(job=OuterRef("pk"), slot="").exclude(status=Status.SKIPPED)
    return Subquery(attempts.order_by("-token").values(name)[:1])


def blocking_dependencies(now: dt.datetime, limit: int) -> set[tuple[int, int]]:
    """Pairs (dependent, dependee): the dependent is due, and must wait for the dependee. One statement."""
    pairs = []
    for kind in START_KINDS:
        has_open_run = Exists(Lease.objects.filter(job=OuterRef("pk"), slot=""))
        waiting = JobState.objects.filter(kind.pending(now), ~has_open_run, job__enabled=True)
        pairs.append(dependencies.blocking(kind.dependencies, waiting).values_list("dependent", "dependee"))
    return set(pairs[0].union(*pairs[1:])[:limit])


def jobs_with_pending_work(job_ids: Collection[int]) -> list[int]:
    """The jobs of this short list with something to start now, blocked or not. One statement."""
    return list(JobState.objects.filter(any_pending(FromNow()), pk__in=job_ids).values_list("pk", flat=True))


def pending_jobs_in_group_of(job_id: int, limit: int) -> list[int]:
    """Jobs of this job's group that have anything to start by now, the longest waiting first: one statement.

    None, unless the group has a limit: only then can the end of a run make room for others.
    """
    group = Job.objects.filter(pk=job_id, group__limit__isnull=False).values("group")
    others = JobState.objects.filter(any_pending(FromNow()), job__group__in=group).order_by("next_run", "pk")
    return list(others.values_list("pk", flat=True)[:limit])


def to_replace(now: dt.datetime, only: Collection[int] | None = None) -> QuerySet[Lease]:
    """Leases of runs that are in the way of their job's next instant, by the policy "replace", and not yet stopped."""
    leases = Lease.objects.filter(
        group_limits.is_not_paused(),
        job__state__next_run__lte=now,
        job__enabled=True,
        job__overlap=Overlap.REPLACE,
        run__stop_requested_at=None,
        slot="",
    )
    return leases if only is None else leases.filter(job__in=only)


def to_book(now: dt.datetime, limit: int, only: Collection[int] | None = None) -> list[int]:
    """Jobs to be booked again, at most ``limit``: edited ones, those that were disabled by a write past the model, and
    those that were booked by older rules of time zones."""
    edited = Job.objects.filter(edited_at__isnull=False).order_by("edited_at", "pk")
    disabled = JobState.objects.filter(next_run__lte=now, job__enabled=False).order_by("next_run", "pk")
    ids: list[int] = []
    for rows in (edited, disabled, booked_by_older_zone_rules().order_by("booked_zone_rules", "pk")):
        if only is not None:
            rows = rows.filter(pk__in=only)
        if len(ids) < limit:
            ids += rows.exclude(pk__in=ids).values_list("pk", flat=True)[: limit - len(ids)]
    return ids


def booked_by_older_zone_rules() -> QuerySet[JobState]:
    """Jobs that were booked by an older time zone database than this host's. Hosts with an older one leave them."""
    return JobState.objects.filter(booked_zone_rules__lt=zone_rules_version())


def reason_cannot_run_now(state: JobState) -> str | None:
    """For people: why this job cannot be run by hand now; ``None``: it can."""
    lease = Lease.objects.filter(job=state.pk, slot="").select_related("run").first()
    if lease is not None:
        return _open_reason(lease)
    if not state.job.enabled:
        return _("It is disabled.")
    if pause := pauses.pauses_for([state.job]).get(state.pk):
        return str(pause)
    if why := jump_detection.suspended_because():
        return clock_jump_message(why)
    if state.job.hostname == EVERY_HOST and (missing := hosts.jobs_without_live_host([state.job])):
        return missing[state.pk]  # a run for one host waits for it; one for every host would have no child
    waits = dependencies.reasons([state.pk]).get(state.pk, [])
    if texts := [wait.text for wait in waits if not wait.turn_only]:
        return _("It %(reasons)s.") % {"reasons": "; ".join(texts)}
    full = group_limits.full_groups(filter(None, [state.job.group_id])).get(state.job.group_id or 0)
    return _("It has to wait: %(reason)s.") % {"reason": full} if full else None


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
) -> dict[int, Explanation]:
    """For people: for each job, why it does not run at ``now``. A constant number of statements.

    Each state must carry its ``job``. A job that is due and not blocked waits for the next tick. ``held``: the pauses
    of these jobs, if the caller has read them; ``missing``: likewise, that the hosts of these jobs are not live;
    ``leases``: likewise, their open runs.
    """
    if leases is None:
        open_runs = Lease.objects.filter(job__in=[state.pk for state in states], slot="").select_related("run")
        leases = {lease.job_id: lease for lease in open_runs}
    pending = [state for state in states if state.pk not in leases and state.job.enabled and pending_kinds(state, now)]
    waits = _waits(pending)
    held = pauses.pauses_for([state.job for state in states]) if held is None else held
    missing = hosts.jobs_without_live_host([state.job for state in states]) if missing is None else missing
    suspended = " ".join(hosts.suspension_messages()) if pending else ""
    found = {}
    for state in states:
        lease = leases.get(state.pk)
        text, is_held = _why_not(state, lease, waits.get(state.pk, []), held.get(state.pk), now)
        if state.pk in missing and (state.job.enabled if lease is None else lease.run.status == Status.CLAIMED):
            text += f" {missing[state.pk]}"
        if suspended and state in pending:
            text += f" {suspended}"
        found[state.pk] = Explanation(text, is_held)
    return found


def _waits(states: Collection[JobState]) -> dict[int, list[Wait]]:
    """What holds these jobs back: dependencies, and groups without room. Three statements; none without jobs."""
    if not states:
        return {}
    waits = dependencies.reasons([state.pk for state in states])
    full = group_limits.full_groups(state.job.group_id for state in states if state.job.group_id is not None)
    for state in states:
        if state.job.group_id in full:
            waits.setdefault(state.pk, []).append(Wait(full[state.job.group_id]))
    return waits


def _why_not(
    state: JobState, lease: Lease | None, waits: list[Wait], pause: pauses.Pause | None, now: dt.datetime
) -> tuple[str, bool]:
    """The text, and whether a rule holds the job back."""
    if lease is not None:
        return _open_reason(lease), False
    if not state.job.enabled:
        return _("It is disabled."), False
    pending = pending_kinds(state, now)
    if state.schedule_error and not pending:
        return _("Schedule error: %(error)s") % {"error": state.schedule_error}, False
    if pause is not None:
        return str(pause), bool(pending)
    if state.job.edited_at is not None:
        return _("It was edited; the next tick books it."), False
    if not pending:
        return _why_not_due(state), False
    needs_turn = all(kind.dependencies is Scope.ALL for kind in pending)
    if texts := [wait.text for wait in waits if needs_turn or not wait.turn_only]:
        return _("It is due, but %(reasons)s.") % {"reasons": "; ".join(texts)}, True
    return _("It is due; the next tick starts it."), False


def _why_not_due(state: JobState) -> str:
    if state.retry_at is not None and not (state.next_run and state.next_run < state.retry_at):
        return _("It failed and is retried at %(time)s.") % {"time": _local(state.retry_at)}
    if state.next_run is None:
        return _("It has no further scheduled time.")
    return _("Its next run is at %(time)s.") % {"time": _local(state.next_run)}


def _open_reason(lease: Lease) -> str:
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
    return _("It is queued since %(time)s; no worker has taken it yet.") % {"time": _local(run.claimed_at)}


def _local(moment: dt.datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"

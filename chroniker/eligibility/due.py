"""What is due, asked in SQL; and, for any job, the reason why it is not. Writes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import FromNow
from chroniker.eligibility import dependencies, groups, hosts, pauses
from chroniker.models import EVERY_HOST, Job, JobState, Lease, Overlap, Run, Status

# Each question is asked apart: "next_run <= now OR force_run" would lose the index on a large table.


def _is_open() -> Exists:
    return Exists(Lease.objects.filter(job=OuterRef("pk"), slot=""))


def _states(only: Collection[int] | None, group: Q) -> QuerySet[JobState]:
    """States of enabled jobs, with their jobs, whose ``group`` lets them; ``only`` these jobs, if given."""
    # The pause over all jobs is asked once for a pass, not here; and again where a claim locks.
    states = JobState.objects.filter(group, job__enabled=True).select_related("job__group")
    return states if only is None else states.filter(pk__in=only)


def jobs_with_pending_work(job_ids: Collection[int]) -> list[int]:
    """Which of these few jobs have anything to start by now, held back or not: one statement."""
    wanted = Q(next_run__lte=FromNow()) | Q(retry_at__lte=FromNow()) | Q(job__force_run=True)
    return list(JobState.objects.filter(wanted, pk__in=job_ids).values_list("pk", flat=True))


def pending_jobs_in_group_of(job_id: int, limit: int) -> list[int]:
    """Jobs of this job's group that have anything to start by now, the longest waiting first: one statement.

    None, unless the group has a limit: the end of a run makes no difference to the others then.
    """
    wanted = Q(next_run__lte=FromNow()) | Q(retry_at__lte=FromNow()) | Q(job__force_run=True)
    group = Job.objects.filter(pk=job_id, group__limit__isnull=False).values("group")
    mates = JobState.objects.filter(wanted, job__group__in=group).order_by("next_run", "pk")
    return list(mates.values_list("pk", flat=True)[:limit])


def scheduled(now: dt.datetime, only: Collection[int] | None = None) -> QuerySet[JobState]:
    """Jobs whose instant has come, that do not run, and that nothing they wait for holds back; the latest last."""
    due = _states(only, groups.is_open()).filter(~_is_open(), ~dependencies.blocked(), next_run__lte=now)
    return due.order_by("next_run", "pk")


def forced(now: dt.datetime, only: Collection[int] | None = None) -> QuerySet[JobState]:
    """Jobs whose ``force_run`` flag is up. They too wait for their turn, and for the jobs they depend on."""
    del now  # at once
    # "IN (true)", since SQLite looks up no index for a column that stands alone as a condition.
    flagged = Job.objects.filter(force_run__in=[True]).values("pk")
    free = _states(only, groups.is_open()).filter(~_is_open(), ~dependencies.blocked(for_instant=False))
    return free.filter(pk__in=flagged).order_by("pk")


def retries(now: dt.datetime, only: Collection[int] | None = None) -> QuerySet[JobState]:
    """Jobs whose next attempt is due, each with the arguments of the attempt that failed as ``failed_args``."""
    free = _states(only, groups.is_open()).filter(~_is_open(), ~dependencies.blocked(for_instant=False))
    attempts = Run.objects.filter(job=OuterRef("pk"), slot="").exclude(status=Status.SKIPPED)
    failed_args = Subquery(attempts.order_by("-token").values("args")[:1])
    return free.filter(retry_at__lte=now).annotate(failed_args=failed_args).order_by("retry_at", "pk")


def overlapped(now: dt.datetime, only: Collection[int] | None = None) -> QuerySet[JobState]:
    """Jobs that still run though their next instant has come, and whose policy is to skip it."""
    due = _states(only, groups.is_not_paused()).filter(_is_open(), job__overlap=Overlap.SKIP, next_run__lte=now)
    return due.order_by("next_run", "pk")


def to_replace(now: dt.datetime, only: Collection[int] | None = None) -> QuerySet[Lease]:
    """Leases of runs that are to make room for their job's next instant and were not asked to stop yet."""
    leases = Lease.objects.filter(
        groups.is_not_paused(),
        job__state__next_run__lte=now,
        job__enabled=True,
        job__overlap=Overlap.REPLACE,
        run__stop_requested_at=None,
        slot="",
    )
    return leases if only is None else leases.filter(job__in=only)


def to_book(now: dt.datetime, limit: int, only: Collection[int] | None = None) -> list[int]:
    """Jobs that were edited, or switched off behind the form's back, since they were booked: at most ``limit``."""
    edited = Job.objects.filter(edited_at__isnull=False).order_by("edited_at", "pk")
    switched_off = JobState.objects.filter(next_run__lte=now, job__enabled=False).order_by("next_run", "pk")
    if only is not None:
        edited, switched_off = edited.filter(pk__in=only), switched_off.filter(pk__in=only)
    ids = list(edited.values_list("pk", flat=True)[:limit])
    ids += switched_off.exclude(pk__in=ids).values_list("pk", flat=True)[: limit - len(ids)]
    return ids


def reason_cannot_run_now(state: JobState) -> str | None:
    """Why nobody may run this job by hand right now, in words; ``None``: it is free."""
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
        return missing[state.pk]  # for one host a run waits; a roster without hosts would be nothing
    if waits := dependencies.reasons([state.pk], for_instant=False).get(state.pk):
        return _("It %(reasons)s.") % {"reasons": "; ".join(waits)}
    full = groups.full_groups(filter(None, [state.job.group_id])).get(state.job.group_id or 0)
    return _("It has to wait: %(reason)s.") % {"reason": full} if full else None


def clock_jump_message(why: str) -> str:
    """``why``: what the database's clock did."""
    return _("%(why)s Nothing starts on this host for one lease.") % {"why": why}


def why_not(
    states: Collection[JobState],
    now: dt.datetime,
    held: dict[int, pauses.Pause] | None = None,
    missing: dict[int, str] | None = None,
) -> dict[int, str]:
    """For each job, in words: why it does not run at ``now``. A constant number of statements.

    Each state must carry its ``job``. A job that is due and free has the reason that no tick has come by yet.
    ``held``: the pauses over these jobs, if they were looked up before; ``missing``: likewise, the hosts that they aim
    at and that are not live.
    """
    ids = [state.pk for state in states]
    leases = {lease.job_id: lease for lease in Lease.objects.filter(job__in=ids, slot="").select_related("run")}
    waits = dependencies.reasons(ids)
    full = groups.full_groups(state.job.group_id for state in states if state.job.group_id is not None)
    for state in states:
        if state.job.group_id in full:
            waits.setdefault(state.pk, []).append(full[state.job.group_id])
    held = pauses.pauses_for([state.job for state in states]) if held is None else held
    missing = hosts.jobs_without_live_host([state.job for state in states]) if missing is None else missing
    quiet = " ".join(hosts.suspension_messages())
    said = {}
    for state in states:
        lease = leases.get(state.pk)
        said[state.pk] = _why_not(state, lease, waits.get(state.pk, []), held.get(state.pk), now)
        if state.pk in missing and (state.job.enabled if lease is None else lease.run.status == Status.CLAIMED):
            said[state.pk] += f" {missing[state.pk]}"
        if quiet and lease is None and _is_due(state, now):
            said[state.pk] += f" {quiet}"
    return said


def _is_due(state: JobState, now: dt.datetime) -> bool:
    moments = [moment for moment in (state.next_run, state.retry_at) if moment is not None]
    return state.job.enabled and (state.job.force_run or any(moment <= now for moment in moments))


def _why_not(
    state: JobState, lease: Lease | None, waits: list[str], pause: pauses.Pause | None, now: dt.datetime
) -> str:
    if lease is not None:
        return _open_reason(lease)
    if not state.job.enabled:
        return _("It is disabled.")
    if state.schedule_error:
        return _("Set aside: %(error)s") % {"error": state.schedule_error}
    if pause is not None:
        return str(pause)
    if state.job.edited_at is not None:
        return _("It was edited; the next tick books it.")
    if state.retry_at is not None and not (state.next_run and state.next_run < state.retry_at):
        if state.retry_at > now:
            return _("It failed and is retried at %(time)s.") % {"time": _local(state.retry_at)}
    elif state.next_run is None:
        return _("Its schedule has no further instant.")
    elif state.next_run > now and not state.job.force_run:
        return _("Its next run is at %(time)s.") % {"time": _local(state.next_run)}
    if waits:
        return _("It is due, but %(reasons)s.") % {"reasons": "; ".join(waits)}
    return _("It is due; the next tick starts it.")


def _open_reason(lease: Lease) -> str:
    run = lease.run
    if run.status == Status.RUNNING:
        if run.stop_requested_at is not None:
            return _("It is running and was asked to stop.")
        if run.required_host == EVERY_HOST:
            words = {"done": lease.total_parts_complete or 0, "all": lease.total_parts or 0}
            return _("It is running on every host; %(done)d of %(all)d have reported.") % words
        return _("It is running.")
    if run.dispatched_at is None:
        return _("It is claimed; no executor has taken it yet. %(why)s") % {"why": run.reason}
    return _("It is queued since %(time)s; no worker has taken it yet.") % {"time": _local(run.claimed_at)}


def _local(moment: dt.datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"

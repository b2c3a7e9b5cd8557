"""Mute alerts, and find which jobs are muted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.db.models import Q, QuerySet

from chroniker.clock.database_clock import NowPlus
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import Alert, AlertMute, Group, Job, JobState

#: One transaction marks at most this many jobs.
MAX_JOBS_PER_TRANSACTION = 500
#: The time of a check is set this long before now, so that the same pass finds it.
ONE_SECOND = dt.timedelta(seconds=1)


def active_mutes(now: dt.datetime) -> QuerySet[AlertMute]:
    return AlertMute.objects.filter(starts_at__lte=now, ends_at__gt=now)


def read_mute_end_time_by_job(jobs: Mapping[int, Job], now: dt.datetime) -> dict[int, dt.datetime]:
    """The end of the mute of each muted job. One statement; none without jobs."""
    if not jobs:
        return {}
    groups = {job.group_id for job in jobs.values() if job.group_id is not None}
    wanted = Q(job__in=list(jobs)) | Q(group__in=groups) | Q(job=None, group=None)
    until: dict[int, dt.datetime] = {}
    for mute in active_mutes(now).filter(wanted):
        for pk, job in jobs.items():
            if mute.job_id == pk or (mute.job_id is None and mute.group_id in (None, job.group_id)):
                until[pk] = max(until.get(pk, mute.ends_at), mute.ends_at)
    return until


@transactional
def mute(
    until: dt.datetime,
    muted_by: str,
    *,
    job: Job | None = None,
    group: Group | None = None,
    since: dt.datetime | None = None,
    reason: str = "",
) -> AlertMute:
    """Mute this job, this group, or all jobs. ``since``: the beginning of a maintenance window; ``None``: now."""
    begins = since or NowPlus()
    return AlertMute.objects.create(
        job=job, group=group, starts_at=begins, ends_at=until, reason=reason.strip()[:500], muted_by=muted_by[:150]
    )


def unmute(mutes: QuerySet[AlertMute]) -> int:
    """End these mutes now, and let the next tick report what is still open; returns how many were ended or removed."""
    ended = _end_mutes(list(mutes.values_list("pk", flat=True)))
    if ended:
        schedule_checks_of_unreported_alerts()
    return ended


@transactional
def _end_mutes(ids: list[int]) -> int:
    planned = AlertMute.objects.filter(pk__in=ids, starts_at__gt=NowPlus()).delete()[0]
    return planned + AlertMute.objects.filter(pk__in=ids, ends_at__gt=NowPlus()).update(ends_at=NowPlus())


def schedule_checks_of_unreported_alerts() -> None:
    """Let the next tick check the jobs with open alerts that no message has reported."""
    unreported = Alert.objects.filter(ended_at=None, reported_at=None, job__isnull=False).order_by("job")
    ids = list(unreported.values_list("job", flat=True).distinct())
    for start in range(0, len(ids), MAX_JOBS_PER_TRANSACTION):
        schedule_alert_checks(ids[start : start + MAX_JOBS_PER_TRANSACTION])


@transactional
def schedule_alert_checks(job_ids: list[int]) -> None:
    """Let the next tick check the alerts of these jobs."""
    rows = JobState.objects.filter(pk__in=job_ids)
    ids = list(lock_rows(rows, skip=False).values_list("pk", flat=True))
    JobState.objects.filter(pk__in=ids).update(alert_at=NowPlus(-ONE_SECOND))

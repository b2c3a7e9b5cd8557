"""Jobs and runs that need a person, as conditions that use indexes."""

from __future__ import annotations

import datetime as dt

from django.db.models import F, QuerySet

from chroniker.models import Alert, AlertKind, JobState, Run, Status

#: Kinds of alerts that no other condition of this module finds.
TROUBLE_ALERT_KINDS = (AlertKind.LATE, AlertKind.SLOW, AlertKind.OVERDUE, AlertKind.MISSED, AlertKind.BACKFILL)
#: Runs that were lost longer ago than this need no attention any more.
LOST_RUN_ATTENTION_TIME = dt.timedelta(days=1)


def failing_states() -> QuerySet[JobState]:
    """Enabled jobs whose last chains of attempts ended badly."""
    return JobState.objects.filter(failing_since__isnull=False, job__enabled=True)


def states_with_schedule_error() -> QuerySet[JobState]:
    return JobState.objects.filter(schedule_error_since__isnull=False, job__enabled=True)


def open_alerts_about_time_or_backfill() -> QuerySet[Alert]:
    """Open alerts about time and backfills: late, slow, overdue, missed, backfill failed."""
    return Alert.objects.filter(ended_at__isnull=True, kind__in=TROUBLE_ALERT_KINDS)


def unresolved_lost_runs(since: dt.datetime) -> QuerySet[Run]:
    """Runs lost since this moment without a later success of their job. Runs of failing jobs are left out."""
    found = Run.objects.filter(status=Status.LOST, claimed_at__gt=since, slot="", job__state__failing_since=None)
    return found.exclude(job__state__last_success_at__gt=F("finished_at"))

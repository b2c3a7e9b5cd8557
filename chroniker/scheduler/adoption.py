"""Adopt a copy of the database, so that its jobs run here."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import pauses
from chroniker.models import Action, AuditEntry, JobState, Outbox, Run, Status, Switch, installation

#: Added to the token of each job: more runs than the original makes of a job before anybody notices the copy.
RAISE_BY = 1_000_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """What would run or be sent here as soon as the copy is adopted."""

    missed: int  #: jobs with scheduled times or retries that are due
    queued: int  #: claimed runs, and runs by flag
    messages: int  #: messages that were not sent


@dataclass(frozen=True, slots=True)
class Choices:
    skip_missed: bool = True
    stop_queued: bool = True
    discard_messages: bool = True


def waiting() -> Waiting:
    """Three statements."""
    now = database_now()
    due = JobState.objects.filter(Q(next_run__lte=now) | Q(retry_at__isnull=False), job__enabled=True)
    queued = Run.objects.filter(status=Status.CLAIMED, children=None)
    return Waiting(due.count(), queued.count(), Outbox.objects.filter(send_at__isnull=False).count())


def adopt(by: str, choices: Choices) -> None:
    """Everything is done before the last step, which lets jobs run. If it fails before, it can be repeated."""
    if choices.stop_queued:
        lifecycle.stop_claims(by)
    if choices.discard_messages:
        unsent = Outbox.objects.filter(send_at__isnull=False)
        unsent.update(send_at=None, error="Discarded when this copy of the database was adopted.")
    now, ids = database_now(), list(JobState.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), settings.batch_size):
        portion = ids[start : start + settings.batch_size]
        lifecycle.adopt_jobs(portion, now, raise_by=RAISE_BY, skip=choices.skip_missed)
    installation.adopt()
    details = ", ".join(name for name in choices.__slots__ if getattr(choices, name))
    AuditEntry.objects.record(by, Action.ADOPTED, [Switch(pk=pauses.ALL)], details=details)

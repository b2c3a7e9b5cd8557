"""Adopt a copy of the database, so that its jobs run here."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import pauses, waiting_activations
from chroniker.models import Action, AuditEntry, Backfill, Job, JobState, Outbox, Run, Status, Switch, installation
from chroniker.reasons import Code

#: Added to the token of each job. The original database starts fewer runs of a job before a person notices the copy.
TOKEN_INCREASE = 1_000_000


@dataclass(frozen=True, slots=True)
class WorkAwaitingAdoption:
    """The runs and messages that would start or be sent here as soon as the copy is adopted."""

    missed: int  #: jobs with due scheduled times, a pending retry, waiting activations or an open backfill
    queued: int  #: claimed runs, and jobs whose ``force_run`` flag is set
    messages: int  #: messages that were not sent


@dataclass(frozen=True, slots=True)
class AdoptionChoices:
    skip_missed: bool = True
    stop_queued: bool = True
    discard_messages: bool = True


def count_work_awaiting_adoption() -> WorkAwaitingAdoption:
    """Count the runs and messages that would start or be sent after the adoption. Needs four statements."""
    now = database_now()
    requested = Q(pk__in=waiting_activations.all_waiting_activations().values("target"))
    requested |= Q(pk__in=Backfill.objects.filter(finished_at=None).values("job"))
    due = JobState.objects.filter(requested | Q(next_run__lte=now) | Q(retry_at__isnull=False), job__enabled=True)
    queued = Run.objects.filter(status=Status.CLAIMED, children=None).count()
    queued += Job.objects.filter(force_run=True, enabled=True).count()
    return WorkAwaitingAdoption(due.count(), queued, Outbox.objects.filter(send_at__isnull=False).count())


def adopt_database(requested_by: str, choices: AdoptionChoices) -> None:
    """Adopt this copy of the database. Only the last step lets jobs run, so a failed adoption can be repeated."""
    if choices.stop_queued:
        lifecycle.stop_all_claimed_runs(requested_by)
    if choices.discard_messages:
        unsent = Outbox.objects.filter(send_at__isnull=False)
        unsent.update(send_at=None, error="Discarded when this copy of the database was adopted.")
    now, ids = database_now(), list(JobState.objects.order_by("pk").values_list("pk", flat=True))
    portions = [ids[start : start + settings.batch_size] for start in range(0, len(ids), settings.batch_size)]
    for portion in portions:
        lifecycle.adopt_jobs(portion, now, raise_tokens_by=TOKEN_INCREASE, skip_missed=choices.skip_missed)
    if choices.skip_missed:  # after all jobs: a retry that was cancelled above may have started another job
        for portion in portions:
            lifecycle.end_waiting_activations_of_jobs(portion, Code.ADOPTED)
    installation.adopt_database()
    details = ", ".join(name for name in choices.__slots__ if getattr(choices, name))
    AuditEntry.objects.record(requested_by, Action.ADOPTED, [Switch(pk=pauses.SWITCH_ID)], details=details)

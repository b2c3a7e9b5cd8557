"""Backfills: runs for past scheduled times of a job, one after the other."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import WriteDatabaseManager, uuid7
from chroniker.models.job import Job
from chroniker.schedule import ScheduleSpec


class InstantSelection(models.TextChoices):
    """The instants of a backfill that get a run."""

    NOT_SUCCEEDED = "NOT_SUCCEEDED", _("those that did not succeed")
    NOT_RUN = "NOT_RUN", _("those that were not started")
    ALL = "ALL", _("all")


class BackfillFailurePolicy(models.TextChoices):
    """What a backfill does after a run that failed, with all its retries."""

    GO_ON = "GO_ON", _("continue")
    STOP = "STOP", _("end the backfill")


class BackfillStatus(models.TextChoices):
    """The current status of a backfill, computed from its columns."""

    OPEN = "OPEN", _("in progress")
    DONE = "DONE", _("complete")
    CANCELLED = "CANCELLED", _("cancelled")
    FAILED = "FAILED", _("ended after a failure")
    ERROR = "ERROR", _("schedule error")


class Backfill(models.Model):
    """The runs of one backfill are claimed by ticks, the oldest instant first, one at a time.

    ``spec`` is the schedule at the time of the request: later edits do not change the instants. Ticks write the row
    with the job's ``JobState`` locked, which holds the time of the next claim in ``backfill_at``. A job has at most one
    open backfill.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(Job, models.CASCADE, related_name="backfills")
    first = models.DateTimeField(_("from"), help_text=_("The first moment of the range."))
    last = models.DateTimeField(_("until"), help_text=_("The last moment of the range, included."))
    which = models.CharField(
        _("scheduled times"), max_length=15, choices=InstantSelection, default=InstantSelection.NOT_SUCCEEDED
    )
    include_unknown = models.BooleanField(
        _("also without a record"),
        default=False,
        help_text=_("Run also for scheduled times of which no run is stored: deleted, or before the job existed."),
    )
    on_failure = models.CharField(
        _("after a failure"), max_length=8, choices=BackfillFailurePolicy, default=BackfillFailurePolicy.GO_ON
    )
    args = models.TextField(_("arguments"), null=True, help_text=_("For its runs only. Empty: the job's own."))
    note = models.CharField(_("note"), max_length=500, blank=True)
    spec = models.JSONField(help_text=_("The schedule when the backfill was made."))
    cursor = models.DateTimeField(null=True, help_text=_("The last instant that was decided. Empty: none yet."))
    attempt = models.PositiveIntegerField(
        default=0, help_text=_("Attempts for the instant at the cursor, if a retry is pending; else 0.")
    )
    chain = models.BigIntegerField(null=True, help_text=_("Token of the first attempt for the instant at the cursor."))
    asked_by = models.CharField(_("requested by"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("requested at"))
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True)
    cancelled_by = models.CharField(_("cancelled by"), max_length=150, blank=True)
    finished_at = models.DateTimeField(_("ended at"), null=True, help_text=_("No run is claimed after this."))
    stopped_by_run = models.BigIntegerField(null=True, help_text=_("Token of the run whose failure ended it."))
    error = models.TextField(_("error"), blank=True, help_text=_("Why its scheduled times cannot be computed."))
    planned = models.PositiveIntegerField(_("planned"), help_text=_("Runs that were expected when it was made."))
    made = models.PositiveIntegerField(_("started"), default=0, help_text=_("Instants that got a run."))
    succeeded = models.PositiveIntegerField(_("succeeded"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0, help_text=_("With all their retries."))

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("backfill")
        verbose_name_plural = _("backfills")
        default_permissions = ("view",)
        indexes = (models.Index(fields=["finished_at", "job"], name="chroniker_backfill_open"),)

    @property
    def schedule(self) -> ScheduleSpec:
        """The schedule that gives its instants."""
        return schedule_from_json(self.spec)

    @property
    def is_open(self) -> bool:
        return self.finished_at is None

    @property
    def condition(self) -> BackfillStatus:
        if self.is_open:
            return BackfillStatus.OPEN
        if self.cancelled_at is not None:
            return BackfillStatus.CANCELLED
        if self.stopped_by_run is not None:
            return BackfillStatus.FAILED
        return BackfillStatus.ERROR if self.error else BackfillStatus.DONE

    @property
    def condition_label(self) -> str:
        return str(self.condition.label)

    def __str__(self) -> str:
        return f"backfill {self.pk}"


def schedule_to_json(spec: ScheduleSpec) -> dict[str, Any]:
    """A schedule as JSON."""
    values = dataclasses.asdict(spec)
    return {name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in values.items()}


def schedule_from_json(values: dict[str, Any]) -> ScheduleSpec:
    """The inverse of ``schedule_to_json``. Names that this version does not know are left out."""
    known = {field.name for field in dataclasses.fields(ScheduleSpec)}
    given = {name: value for name, value in values.items() if name in known}
    for name in ("run_at", "starts_at", "ends_at"):
        if given.get(name):
            given[name] = dt.datetime.fromisoformat(given[name])
    return ScheduleSpec(**given)

"""The columns of a job's schedule, of its timeline, and of the rules for scheduled times that wait."""

from __future__ import annotations

import dataclasses
import functools
import operator
from typing import Any

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.timezone import get_default_timezone_name, now
from django.utils.translation import gettext_lazy as _

from chroniker.models.alert_fields import ALERT_FIELDS
from chroniker.models.run_status import CatchUp, Overlap
from chroniker.schedule import DstFold, DstGap, Frequency, ScheduleSpec

#: The fields of a schedule, with the same names as in ``ScheduleSpec``.
SPEC_FIELDS = tuple(field.name for field in dataclasses.fields(ScheduleSpec))
#: The fields of a job's timeline. After a change of one of them the next tick books the job again.
TIMELINE_FIELDS = frozenset({*SPEC_FIELDS, "jitter_seconds", "enabled"})
#: After a change of one of these the next tick books the job again: its timeline, or when to look at its alerts.
FIELDS_THAT_CAUSE_BOOKING = TIMELINE_FIELDS | ALERT_FIELDS | {"group", "group_id"}


def project_timezone() -> str:
    return get_default_timezone_name()


class WaitingFields(models.Model):
    """The rules for scheduled times that cannot run when they come."""

    overlap = models.CharField(_("overlap"), max_length=8, choices=Overlap, default=Overlap.WAIT)
    misfire_grace_seconds = models.PositiveIntegerField(
        _("misfire grace, seconds"),
        null=True,
        blank=True,
        help_text=_("A scheduled time that is later than this is skipped. Leave empty to run late starts once."),
    )
    catch_up = models.CharField(
        _("catch-up"),
        max_length=8,
        choices=CatchUp,
        default=CatchUp.COALESCE,
        help_text=_(
            "What becomes of several scheduled times that wait: after an outage, or while the job was running."
        ),
    )
    hold_on_failure = models.BooleanField(
        _("hold on failure"),
        default=False,
        help_text=_(
            "When a run of the schedule or of a trigger has failed, and its retries too, the further ones wait until"
            " someone resumes the job or a run by hand succeeds."
        ),
    )

    class Meta:
        abstract = True


class ScheduleFields(models.Model):
    """The schedule of a job, and the marks that make the next tick book or delete it."""

    enabled = models.BooleanField(_("enabled"), default=True)
    frequency = models.CharField(_("frequency"), max_length=10, choices=Frequency, default=Frequency.CRON)
    cron = models.CharField(_("cron expression"), max_length=255, blank=True)
    params = models.TextField(
        _("rule parameters"),
        blank=True,
        help_text=_("For recurrence rules (yearly to every n seconds): interval:15;byhour:7,8,9"),
    )
    run_at = models.DateTimeField(_("run at"), null=True, blank=True)
    starts_at = models.DateTimeField(_("starts at"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    timezone = models.CharField(_("time zone"), max_length=64, default=project_timezone)
    dst_gap = models.CharField(
        _("when the clock skips an hour (DST start)"), max_length=6, choices=DstGap, default=DstGap.RUN
    )
    dst_fold = models.CharField(
        _("when an hour repeats (DST end)"), max_length=6, choices=DstFold, default=DstFold.FIRST
    )
    jitter_seconds = models.PositiveIntegerField(
        _("jitter, seconds"),
        default=0,
        validators=[MaxValueValidator(86_400)],
        help_text=_(
            "Delays this job by a fixed offset of up to this many seconds, so that jobs due at once do not"
            " start together."
        ),
    )

    edited_at = models.DateTimeField(
        null=True,
        editable=False,
        default=now,
        help_text=_(
            "When the schedule or “enabled” was last changed. The next tick books the job again and clears this field."
        ),
    )

    deletion_requested_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text=_("The job was deleted while a run of it was open. It is removed when the run has ended."),
    )

    class Meta:
        abstract = True

    @property
    def spec(self) -> ScheduleSpec:
        """The schedule, in the form of ``chroniker.schedule``."""
        return _make_spec(*_values_of_spec(self))


_values_of_spec = operator.attrgetter(*SPEC_FIELDS)


@functools.lru_cache(maxsize=8192)
def _make_spec(*values: Any) -> ScheduleSpec:
    return ScheduleSpec(*values)

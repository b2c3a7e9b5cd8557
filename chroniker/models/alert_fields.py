"""The fields that turn on the alerts of a job, or of the jobs of a group; and the rules that result for one job."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.conf import settings
from chroniker.exceptions import ScheduleError
from chroniker.schedule.deadlines import parse_deadline_schedule

#: A value of the field for a deadline: the job has no deadline, even if its group has one.
NO_DEADLINE = "never"
#: The longest time of an alert, in seconds: a year.
MAX_ALERT_SECONDS = 366 * 86_400

_EMPTY_VALUES = (None, "")
_SECONDS_VALIDATORS = [MaxValueValidator(MAX_ALERT_SECONDS)]


def validate_done_by(text: str) -> None:
    if text != NO_DEADLINE:
        try:
            parse_deadline_schedule(text, "UTC")
        except ScheduleError as error:
            raise ValidationError(str(error)) from error


class AlertFields(models.Model):
    """The alert fields. Empty: the value of the group, or else of ``CHRONIKER_ALERTS``, or else off. 0 and “never”:
    off."""

    alert_start_seconds = models.PositiveIntegerField(
        _("late after, seconds"),
        null=True,
        blank=True,
        validators=_SECONDS_VALIDATORS,
        help_text=_("Alert when a scheduled time has not started so long after it. 0: never."),
    )
    alert_run_seconds = models.PositiveIntegerField(
        _("slow after, seconds"),
        null=True,
        blank=True,
        validators=_SECONDS_VALIDATORS,
        help_text=_("Alert when a run takes longer. 0: never."),
    )
    alert_done_by = models.CharField(
        _("done by"),
        max_length=50,
        blank=True,
        validators=[validate_done_by],
        help_text=_(
            "Alert when the last scheduled time before this time of day has no success by then: 06:00, or"
            " 06:00 mon-fri. In the time zone of the job. “never”: no such alert."
        ),
    )
    alert_failures = models.PositiveIntegerField(
        _("failing after"),
        null=True,
        blank=True,
        help_text=_("Alert when so many runs in a row have failed, retries included in each. Empty: 1. 0: never."),
    )
    alert_repeat_seconds = models.PositiveIntegerField(
        _("repeat after, seconds"),
        null=True,
        blank=True,
        validators=_SECONDS_VALIDATORS,
        help_text=_("Send an open alert again each time so long has passed. 0: never."),
    )

    class Meta:
        abstract = True


ALERT_FIELDS = frozenset(field.name for field in AlertFields._meta.local_fields)
#: The values of these fields, of a job or group.
alert_field_values = operator.attrgetter(*sorted(ALERT_FIELDS))


@dataclass(frozen=True, slots=True)
class AlertRules:
    """The alerts of one job. ``None``, 0 and the empty text: off."""

    late_after: dt.timedelta | None = None
    slow_after: dt.timedelta | None = None
    done_by: str = ""
    failures: int = 1
    repeat_after: dt.timedelta | None = None

    @property
    def is_time_dependent(self) -> bool:
        """Whether time alone can raise one of them."""
        return self.late_after is not None or self.slow_after is not None or bool(self.done_by)


def alert_rules_of(job: Any, defaults: Mapping[str, Any] | None = None) -> AlertRules:
    """The rules of the job, else of its group, else of the project. One statement if the group is not loaded yet.

    ``defaults``: those of the project, if the caller has read them.
    """
    group = job.group if job.group_id is not None else None
    defaults = settings.alerts if defaults is None else defaults

    def value(name: str) -> Any:
        own = getattr(job, name)
        if own in _EMPTY_VALUES and group is not None:
            own = getattr(group, name)
        return defaults.get(name) if own in _EMPTY_VALUES else own

    done_by, failures = value("alert_done_by"), value("alert_failures")
    return AlertRules(
        _to_timedelta(value("alert_start_seconds")),
        _to_timedelta(value("alert_run_seconds")),
        "" if done_by in (None, NO_DEADLINE) else done_by,
        1 if failures is None else failures,
        _to_timedelta(value("alert_repeat_seconds")),
    )


def _to_timedelta(seconds: float | None) -> dt.timedelta | None:
    return dt.timedelta(seconds=seconds) if seconds else None

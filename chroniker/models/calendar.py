"""Calendars of times in which jobs do not run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import UniqueNameManager, WriteDatabaseManager
from chroniker.schedule import ClosedTime

#: The longest duration of a repeated blackout: its period plus one hour, for the day on which DST ends.
MAX_DURATION_BY_REPETITION = {"WEEKLY": dt.timedelta(days=7, hours=1), "YEARLY": dt.timedelta(days=366, hours=1)}


class Calendar(models.Model):
    """A blackout calendar: an instant that falls into one of its blackouts is recorded as skipped."""

    name = models.CharField(_("name"), max_length=200, unique=True)

    objects = UniqueNameManager()

    class Meta:
        verbose_name = _("blackout calendar")
        verbose_name_plural = _("blackout calendars")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        return (self.name,)


class BlackoutManager(WriteDatabaseManager["Blackout"]):
    def get_by_natural_key(self, calendar: str, name: str, starts_at: dt.datetime) -> Blackout:
        return self.get(calendar__name=calendar, name=name, starts_at=starts_at)


class Blackout(models.Model):
    """One closed time, from ``starts_at`` (included) to ``ends_at`` (excluded); once, or repeated weekly or yearly."""

    class Repeats(models.TextChoices):
        NEVER = "NEVER", _("once")
        WEEKLY = "WEEKLY", _("every week")
        YEARLY = "YEARLY", _("every year")

    calendar = models.ForeignKey(Calendar, models.CASCADE, related_name="blackouts", verbose_name=_("calendar"))
    name = models.CharField(_("name"), max_length=200)
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    repeats = models.CharField(_("repeats"), max_length=6, choices=Repeats, default=Repeats.NEVER)

    objects = BlackoutManager()

    class Meta:
        verbose_name = _("blackout")
        verbose_name_plural = _("blackouts")
        ordering = ("starts_at",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="chroniker_blackout_ends_after_its_start"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str, str, str]:
        return (self.calendar.name, self.name, self.starts_at.isoformat())

    natural_key.dependencies = ["chroniker.calendar"]  # type: ignore[attr-defined]

    def clean(self) -> None:
        super().clean()
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": _("The end of a blackout must be after its start.")})
        longest = MAX_DURATION_BY_REPETITION.get(self.repeats)
        if longest is not None and self.starts_at and self.ends_at and self.ends_at - self.starts_at > longest:
            raise ValidationError({"ends_at": _("A repeating blackout must end before it starts again.")})


def read_closed_times(calendar_ids: Collection[int]) -> dict[int, list[ClosedTime]]:
    """The blackouts of these calendars, in the form of ``chroniker.schedule``. One statement; none for no calendars."""
    found: dict[int, list[ClosedTime]] = {pk: [] for pk in calendar_ids}
    for each in Blackout.objects.filter(calendar__in=found) if found else ():
        found[each.calendar_id].append(ClosedTime(each.name, each.starts_at, each.ends_at, str(each.repeats)))
    return found

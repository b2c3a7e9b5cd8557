"""Calendars of times in which jobs do not run."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import DecidingManager


class Calendar(models.Model):
    """A blackout calendar: an instant that falls into one of its blackouts is recorded as skipped."""

    name = models.CharField(_("name"), max_length=200, unique=True)

    objects = DecidingManager()

    class Meta:
        verbose_name = _("blackout calendar")
        verbose_name_plural = _("blackout calendars")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Blackout(models.Model):
    """One closed time, from ``starts_at`` up to, and without, ``ends_at``; perhaps again every week or year."""

    class Repeats(models.TextChoices):
        NEVER = "NEVER", _("once")
        WEEKLY = "WEEKLY", _("every week")
        YEARLY = "YEARLY", _("every year")

    calendar = models.ForeignKey(Calendar, models.CASCADE, related_name="blackouts", verbose_name=_("calendar"))
    name = models.CharField(_("name"), max_length=200)
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    repeats = models.CharField(_("repeats"), max_length=6, choices=Repeats, default=Repeats.NEVER)

    objects = DecidingManager()

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

    def clean(self) -> None:
        super().clean()
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": _("A blackout ends after it starts.")})

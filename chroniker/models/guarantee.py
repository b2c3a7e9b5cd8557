"""What the regular tests of the guarantees found."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import WriteDatabaseManager


class Guarantee(models.TextChoices):
    """The guarantees that are tested in the database. The numbers are those of the documentation."""

    ONE_INSTANCE = "1", _("One instance per job")
    ONE_RECORD = "2", _("Every scheduled time has one record")
    CLAIMS_END = "3", _("Every claim ends")
    GROUP_LIMIT = "9", _("A group keeps its limit")


class GuaranteeHour(models.Model):
    """The tests of one guarantee in one hour (UTC), and the violations that they found. Kept for 31 days."""

    guarantee = models.CharField(max_length=2, choices=Guarantee)
    hour = models.DateTimeField(db_index=True)
    tests = models.PositiveIntegerField(default=0)
    violations = models.PositiveIntegerField(default=0)

    objects = WriteDatabaseManager()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["guarantee", "hour"], name="chroniker_guarantee_hour_once"),)

    def __str__(self) -> str:
        return f"guarantee {self.guarantee} in the hour of {self.hour:%Y-%m-%d %H:%M}"


class GuaranteeProgress(models.Model):
    """Which runs were tested: one row with id 1. The next test continues there, so that no test reads all runs."""

    since = models.DateTimeField(help_text=_("Runs that were claimed after this time were tested."))
    until = models.DateTimeField(help_text=_("Runs that are claimed after this time are still to be tested."))
    open_runs = models.JSONField(
        default=list, help_text=_("Tested runs that were open then. They are tested again, because their end counts.")
    )

    objects = WriteDatabaseManager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"runs tested until {self.until:%Y-%m-%d %H:%M:%S}"

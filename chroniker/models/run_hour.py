"""Counts of closed runs: by job and hour, of all jobs by half hour, and of all jobs since the installation."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import WriteDatabaseManager
from chroniker.models.job import Job

#: The upper bounds of the start delay, in seconds, of ``delay_0`` to ``delay_5``. ``delay_6`` has no bound.
START_DELAY_BOUNDS = (0.5, 1.0, 2.0, 5.0, 30.0, 300.0)
#: ``late_hour`` of a row without late starts. It is not empty, because the larger of two values is stored.
NO_LATE_START_HOUR = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class CountedRuns(models.Model):
    """The numbers of closed runs by their results, and their durations and start delays.

    The tick adds closed runs at most every 10 s, each run once; of a run on every host, the parent. Imported runs are
    not counted. A start delay is the time from the instant (of a run by hand or a retry: from the claim) to the start.
    """

    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    timed_out = models.PositiveIntegerField(default=0)
    stopped = models.PositiveIntegerField(default=0)
    lost = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    seconds_sum = models.FloatField(default=0.0, help_text=_("The durations of its runs that were started."))
    seconds_max = models.FloatField(default=0.0)
    delay_0 = models.PositiveIntegerField(default=0)
    delay_1 = models.PositiveIntegerField(default=0)
    delay_2 = models.PositiveIntegerField(default=0)
    delay_3 = models.PositiveIntegerField(default=0)
    delay_4 = models.PositiveIntegerField(default=0)
    delay_5 = models.PositiveIntegerField(default=0)
    delay_6 = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True


class RunHour(CountedRuns):
    """The runs of one job that were closed in one hour (UTC)."""

    # No database constraint: on MariaDB an insert would lock the job's row. Rows of deleted jobs are deleted by age.
    job = models.ForeignKey(Job, models.CASCADE, related_name="hours", db_index=False, db_constraint=False)
    hour = models.DateTimeField(_("hour"), db_index=True)
    late_hour = models.DateTimeField(
        default=NO_LATE_START_HOUR,
        db_index=True,
        help_text=_("The hour, if a run in it started more than 30 s late; else 1970."),
    )

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("hourly count")
        verbose_name_plural = _("hourly counts")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["job", "hour"], name="chroniker_run_hour_once"),)

    def __str__(self) -> str:
        return f"runs of job {self.job_id} closed in the hour of {self.hour:%Y-%m-%d %H:%M}"


class RunTotal(CountedRuns):
    """The runs of all jobs that were closed in one half hour (UTC): pages about all jobs read no ``RunHour``."""

    start = models.DateTimeField(unique=True)

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("count of all runs")
        verbose_name_plural = _("counts of all runs")
        default_permissions = ()

    def __str__(self) -> str:
        return f"runs closed in the half hour of {self.start:%Y-%m-%d %H:%M}"


class RunCount(models.Model):
    """How many runs of all jobs have ended in this way since the installation, also of deleted jobs. It never falls.

    Counted together with ``RunHour``.
    """

    outcome = models.CharField(max_length=10, unique=True, help_text=_("The status at the end, in small letters."))
    runs = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0.0, help_text=_("The durations of those that were started."))

    objects = WriteDatabaseManager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"runs that ended as {self.outcome}"

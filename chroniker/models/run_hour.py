"""Counts of closed runs, by job and hour."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import DecidingManager
from chroniker.models.job import Job

#: The upper bounds of the start delay, in seconds, of ``delay_0`` to ``delay_5``. ``delay_6`` has no bound.
DELAY_BOUNDS = (0.5, 1.0, 2.0, 5.0, 30.0, 300.0)


class RunHour(models.Model):
    """What became of the runs of one job that were closed in one hour (UTC).

    The tick adds closed runs at most every 10 s, each run once; of a run on every host, the parent. Imported runs are
    not counted. A start delay is the time from the instant (of a run by hand or a retry: from the claim) to the start.
    """

    # No database constraint: on MariaDB an insert would lock the job's row. Rows of deleted jobs are deleted by age.
    job = models.ForeignKey(Job, models.CASCADE, related_name="hours", db_index=False, db_constraint=False)
    hour = models.DateTimeField(_("hour"), db_index=True)
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

    objects = DecidingManager()

    class Meta:
        verbose_name = _("hourly count")
        verbose_name_plural = _("hourly counts")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["job", "hour"], name="chroniker_run_hour_once"),)

    def __str__(self) -> str:
        return f"runs of job {self.job_id} closed in the hour of {self.hour:%Y-%m-%d %H:%M}"

"""The job: what to run, when, and under which rules. Only people and code that declares jobs write it."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.functional import cached_property
from django.utils.timezone import get_default_timezone_name, now
from django.utils.translation import gettext_lazy as _

from chroniker.clock.database_clock import FromNow
from chroniker.models.base import DecidingManager
from chroniker.models.calendar import Calendar, closed_times
from chroniker.models.group import Group
from chroniker.models.job_validation import validate
from chroniker.models.querysets import BOOKED_FIELDS, JobQuerySet, read_edit_again
from chroniker.models.run_status import Overlap
from chroniker.process import progress
from chroniker.schedule import ClosedTime, DstFold, DstGap, Frequency, Spec


def project_timezone() -> str:
    return get_default_timezone_name()


class Job(models.Model):
    """One job. Its machine-written side is ``JobState``, so that saving a stale form never moves the schedule back."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    command = models.CharField(
        _("command"), max_length=200, blank=True, help_text=_("A management command of this project.")
    )
    args = models.TextField(
        _("arguments"), blank=True, help_text=_("As on a command line: --verbosity 2 'two words' file.txt")
    )
    raw_command = models.TextField(
        _("raw command"),
        blank=True,
        help_text=_("Instead of a management command: a program and its arguments. It is run without a shell."),
    )
    environment = models.TextField(
        _("environment"), blank=True, help_text=_("Variables for the command, one a line: NAME=value")
    )
    secrets = models.TextField(
        _("secrets"),
        blank=True,
        help_text=_(
            "Variables whose values are kept elsewhere, one a line: NAME=setting:PAYMENT_KEY or NAME=env:PAYMENT_KEY"
        ),
    )
    working_directory = models.CharField(
        _("working directory"), max_length=500, blank=True, help_text=_("Empty: that of the worker.")
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    managed_by = models.CharField(
        _("declared in"),
        max_length=255,
        blank=True,
        editable=False,
        help_text=_("Where the code that declares this job is; empty: people manage it."),
    )
    origin = models.CharField(
        _("imported from"),
        max_length=255,
        blank=True,
        editable=False,
        help_text=_("What the importer knows it by, so that a second import leaves it alone."),
    )
    enabled_when_removed = models.BooleanField(
        null=True,
        editable=False,
        help_text=_("Whether it was enabled when its declaration was removed; empty: it is declared, or never was."),
    )

    # -- when ------------------------------------------------------------------------------------------------
    frequency = models.CharField(_("frequency"), max_length=10, choices=Frequency, default=Frequency.CRON)
    cron = models.CharField(_("cron expression"), max_length=255, blank=True)
    params = models.TextField(
        _("rule parameters"), blank=True, help_text=_("For yearly to secondly: interval:15;byhour:7,8,9")
    )
    run_at = models.DateTimeField(_("run at"), null=True, blank=True)
    starts_at = models.DateTimeField(_("starts at"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    timezone = models.CharField(_("time zone"), max_length=64, default=project_timezone)
    dst_gap = models.CharField(_("in the hour that is left out"), max_length=6, choices=DstGap, default=DstGap.RUN)
    dst_fold = models.CharField(_("in the hour that comes twice"), max_length=6, choices=DstFold, default=DstFold.FIRST)
    jitter_seconds = models.PositiveIntegerField(
        _("jitter, seconds"),
        default=0,
        validators=[MaxValueValidator(86_400)],
        help_text=_("Spreads jobs of one instant: this job always starts the same part of this span later."),
    )

    calendar = models.ForeignKey(
        Calendar,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="jobs",
        verbose_name=_("blackout calendar"),
        help_text=_("Instants in one of its blackouts are skipped."),
    )

    # -- under which rules -----------------------------------------------------------------------------------
    overlap = models.CharField(_("overlap"), max_length=8, choices=Overlap, default=Overlap.WAIT)
    misfire_grace_seconds = models.PositiveIntegerField(
        _("misfire grace, seconds"),
        null=True,
        blank=True,
        help_text=_("An instant missed by more than this is recorded as skipped. Empty: however late, run once."),
    )
    start_deadline_seconds = models.PositiveIntegerField(
        _("start deadline, seconds"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("A claimed run that no worker takes within this time is lost. Empty: the project's setting."),
    )
    timeout_seconds = models.PositiveIntegerField(
        _("timeout, seconds"), null=True, blank=True, help_text=_("Empty or 0: none.")
    )
    max_retries = models.PositiveSmallIntegerField(_("retries after a failure"), default=0)
    retry_backoff_seconds = models.PositiveIntegerField(
        _("retry back-off, seconds"), default=60, help_text=_("Before the first retry; doubled for each further one.")
    )
    retry_on_lost = models.BooleanField(
        _("retry when lost"), default=False, help_text=_("A lost run may have done its work; it may be done twice.")
    )
    fail_on_stderr = models.BooleanField(_("output on stderr is a failure"), default=False)

    group = models.ForeignKey(
        Group, models.SET_NULL, null=True, blank=True, related_name="jobs", verbose_name=_("group")
    )

    # -- where -----------------------------------------------------------------------------------------------
    executor = models.CharField(_("executor"), max_length=50, default="default")
    queue = models.CharField(_("queue"), max_length=100, blank=True)
    priority = models.PositiveSmallIntegerField(
        _("priority"), null=True, blank=True, validators=[MaxValueValidator(255)]
    )
    hostname = models.CharField(
        _("host"),
        max_length=200,
        blank=True,
        help_text=_("A name: on that host only. *: on every live host at once. Empty: whoever is first."),
    )

    # -- what is kept and told -------------------------------------------------------------------------------
    log_stdout = models.BooleanField(_("keep standard output"), default=True)
    log_stderr = models.BooleanField(_("keep standard error"), default=True)
    log_max_bytes = models.PositiveBigIntegerField(
        _("output kept, bytes"),
        null=True,
        blank=True,
        default=10_000_000,
        validators=[MinValueValidator(1024)],
        help_text=_("Of a run's output beyond this, the beginning and the end are kept. Empty: all."),
    )
    maximum_log_entries = models.PositiveIntegerField(
        _("runs kept"), default=1000, help_text=_("Older closed runs of this job are deleted. 0: keep all.")
    )
    subscribers = models.ManyToManyField(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("subscribers"),
        blank=True,
        related_name="chroniker_jobs",
        db_table="chroniker_subscription",  # as for JobDependency: the default name was the ancestor's
    )
    email_errors_to_subscribers = models.BooleanField(_("mail errors to subscribers"), default=True)
    email_success_to_subscribers = models.BooleanField(_("mail successes to subscribers"), default=False)
    is_monitor = models.BooleanField(
        _("is a monitor"),
        default=False,
        help_text=_("It is listed under Monitors too, with what its latest run found."),
    )
    monitor_url = models.CharField(
        _("monitor URL"),
        max_length=255,
        blank=True,
        help_text=_('Where to look; a template: /admin/shop/order/?created__lt={% now_offset "Y-m-d" -7 %}'),
    )
    monitor_error_template = models.TextField(
        _("monitor error template"),
        blank=True,
        help_text=_(
            "What check_monitor writes when records need attention. It may show {{ count }}, {{ records }}, {{ url }}, "
            "{{ description }}, {{ job.name }} and {{ stderr }}, its own text. Empty: its own text."
        ),
    )
    monitor_description = models.TextField(
        _("monitor description"), blank=True, help_text=_("What it is about, and what to do.")
    )

    # -- flags anyone may set; a tick consumes them ----------------------------------------------------------
    force_run = models.BooleanField(
        _("force run"), default=False, help_text=_("Run at the next tick; the schedule stays where it is.")
    )
    force_stop = models.BooleanField(_("force stop"), default=False, help_text=_("Stop the open run at the next tick."))
    edited_at = models.DateTimeField(
        null=True,
        editable=False,
        default=now,
        help_text=_("Schedule or switch changed at this moment: the next tick books the job anew."),
    )

    deletion_asked_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text=_("Somebody deleted the job while a run of it was open: it goes when that has ended."),
    )

    objects = DecidingManager.from_queryset(JobQuerySet)()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ("name",)
        permissions = (("run_job", _("Can run a job now")), ("stop_job", _("Can stop a running job")))
        indexes = (
            models.Index(fields=["force_run"], name="chroniker_job_force_run"),
            models.Index(fields=["force_stop"], name="chroniker_job_force_stop"),
            models.Index(fields=["edited_at"], name="chroniker_job_edited_at"),
            models.Index(fields=["is_monitor", "name"], name="chroniker_job_monitors"),
            models.Index(fields=["deletion_asked_at"], name="chroniker_job_deletion"),
        )

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves, and asks the next tick to book the job anew, unless ``update_fields`` leaves the schedule alone."""
        names = kwargs.get("update_fields")
        is_edit = names is None or bool(BOOKED_FIELDS & set(names))
        if is_edit:
            self.edited_at = FromNow()  # the database's clock decides
        if names is not None and BOOKED_FIELDS & set(names):
            kwargs["update_fields"] = {*names, "edited_at"}
        if self.enabled and (names is None or "enabled" in names):  # who enables a job keeps it
            self.deletion_asked_at = None
            kwargs["update_fields"] = names and {*kwargs["update_fields"], "deletion_asked_at"}
        super().save(*args, **kwargs)
        if is_edit:
            read_edit_again([self])

    def clean(self) -> None:
        super().clean()
        validate(self)

    @property
    def is_declared(self) -> bool:
        """Whether code declares this job, so that what it runs and when is not for people to change."""
        return bool(self.managed_by) and self.enabled_when_removed is None

    @property
    def spec(self) -> Spec:
        """The schedule, as ``chroniker.schedule`` takes it."""
        return Spec(
            frequency=self.frequency,
            cron=self.cron,
            params=self.params,
            run_at=self.run_at,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            timezone=self.timezone,
            dst_gap=self.dst_gap,
            dst_fold=self.dst_fold,
        )

    @cached_property
    def closed_times(self) -> list[ClosedTime]:
        """The blackouts of its calendar; ticks fetch them for all jobs of a batch at once."""
        return [] if self.calendar_id is None else closed_times([self.calendar_id])[self.calendar_id]

    @staticmethod
    def update_progress(total_parts: int, total_parts_complete: int) -> None:
        """Say how far the command is, from anywhere inside it: ``total_parts_complete`` of ``total_parts``.

        Costs microseconds, touches no database and never blocks; the supervisor reports the newest value at
        most once a second. Outside a run it does nothing.
        """
        progress.write(total_parts, total_parts_complete)

    @classmethod
    def from_name_or_id(cls, text: str) -> Job:
        """The job of this name, or else of this id. A name of digits wins over the id. Raises ``DoesNotExist``."""
        found = cls.objects.filter(name=text).first()
        if found is None and text.isdecimal():
            found = cls.objects.filter(pk=int(text)).first()
        if found is None:
            raise cls.DoesNotExist(f"There is no job named or numbered {text!r}.")
        return found

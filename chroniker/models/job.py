"""The job: what to run, when, and under which rules. Only people and code that declares jobs write it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.conf import settings as django_settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.models.base import UniqueNameManager
from chroniker.models.calendar import Calendar, read_closed_times
from chroniker.models.channel import Channel
from chroniker.models.group import Group
from chroniker.models.job_fields import JobFields
from chroniker.models.job_validation import validate_job
from chroniker.models.querysets import JobQuerySet, defer_edited_at, lock_states_and_refuse_open_runs
from chroniker.models.schedule_fields import FIELDS_THAT_CAUSE_BOOKING
from chroniker.process import progress
from chroniker.schedule import ClosedTime

#: The address of a runbook: http or https, or a path of this site. Not "//host" and no script.
RUNBOOK_PATTERN = r"^(https?://[^\s/?#]+|/(?!/))[^\s]*\Z"


class Job(JobFields):
    """One job. The scheduler writes ``JobState`` instead, so that saving an old form never moves the schedule back."""

    managed_by = models.CharField(
        _("declared in"),
        max_length=255,
        blank=True,
        editable=False,
        help_text=_("The file that declares this job. Empty: it is managed in the admin."),
    )
    origin = models.CharField(
        _("imported from"),
        max_length=255,
        blank=True,
        editable=False,
        help_text=_("Identifies the imported job, so that a second import does not add it again."),
    )
    enabled_when_removed = models.BooleanField(
        null=True,
        editable=False,
        help_text=_(
            "Whether it was enabled when its declaration was removed. Empty: it is still declared, or never was."
        ),
    )

    calendar = models.ForeignKey(
        Calendar,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="jobs",
        verbose_name=_("blackout calendar"),
        help_text=_("Scheduled times in one of its blackouts are skipped."),
    )

    # -- rules -----------------------------------------------------------------------------------------------
    start_deadline_seconds = models.PositiveIntegerField(
        _("start deadline, seconds"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_(
            "A queued run that no worker starts within this time is lost. Leave empty to use the project's setting."
        ),
    )
    timeout_seconds = models.PositiveIntegerField(
        _("timeout, seconds"), null=True, blank=True, help_text=_("Leave empty or 0 for no timeout.")
    )
    max_retries = models.PositiveSmallIntegerField(_("retries after a failure"), default=0)
    retry_backoff_seconds = models.PositiveIntegerField(
        _("retry back-off, seconds"),
        default=60,
        help_text=_("The delay before the first retry. It doubles with each retry."),
    )
    retry_on_lost = models.BooleanField(
        _("retry when lost"),
        default=False,
        help_text=_("The command of a lost run may have finished, so a retry may repeat its work."),
    )
    fail_on_stderr = models.BooleanField(_("output on stderr is a failure"), default=False)

    group = models.ForeignKey(
        Group, models.SET_NULL, null=True, blank=True, related_name="jobs", verbose_name=_("group")
    )

    # -- history and notifications ---------------------------------------------------------------------------
    log_stdout = models.BooleanField(_("keep standard output"), default=True)
    log_stderr = models.BooleanField(_("keep standard error"), default=True)
    log_max_bytes = models.PositiveBigIntegerField(
        _("output kept, bytes"),
        null=True,
        blank=True,
        default=10_000_000,
        validators=[MinValueValidator(1024)],
        help_text=_("Of a longer output, the beginning and the end are kept. Leave empty to keep all."),
    )
    maximum_log_entries = models.PositiveIntegerField(
        _("runs kept"), default=1000, help_text=_("Older closed runs of this job are deleted. 0 keeps all.")
    )
    subscribers = models.ManyToManyField(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("subscribers"),
        blank=True,
        related_name="chroniker_jobs",
        db_table="chroniker_subscription",  # as for JobDependency: django-chroniker uses the default name
    )
    channels = models.ManyToManyField(
        Channel,
        verbose_name=_("channels"),
        blank=True,
        related_name="jobs",
        help_text=_("They get messages about this job. Choose none for those of its group, else the default ones."),
    )
    email_errors_to_subscribers = models.BooleanField(_("mail errors to subscribers"), default=True)
    email_success_to_subscribers = models.BooleanField(_("mail successes to subscribers"), default=False)
    owner = models.CharField(
        _("owner"), max_length=200, blank=True, help_text=_("The person or team to ask when it fails.")
    )
    runbook_url = models.CharField(
        _("runbook"),
        max_length=500,
        blank=True,
        validators=[RegexValidator(RUNBOOK_PATTERN, _("Give an address that begins with https://, http:// or /."))],
        help_text=_("What to do when it fails: an address, or a path of this site."),
    )
    # -- flags: set by any program, cleared by a tick --------------------------------------------------------
    force_run = models.BooleanField(
        _("force run"), default=False, help_text=_("Runs the job at the next tick. The schedule does not change.")
    )
    force_stop = models.BooleanField(
        _("force stop"), default=False, help_text=_("Stops the open run at the next tick.")
    )
    objects = UniqueNameManager.from_queryset(JobQuerySet)()

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
            models.Index(fields=["deletion_requested_at"], name="chroniker_job_deletion"),
            models.Index(fields=["overlap"], name="chroniker_job_overlap"),
            # For the filters of the list of jobs, and for the values that they offer.
            models.Index(fields=["enabled", "name"], name="chroniker_job_enabled"),
            models.Index(fields=["queue"], name="chroniker_job_queue"),
            models.Index(fields=["owner"], name="chroniker_job_owner"),
            models.Index(fields=["executor"], name="chroniker_job_executor"),
            models.Index(fields=["command"], name="chroniker_job_command"),
            models.Index(fields=["hostname"], name="chroniker_job_hostname"),
        )

    @property
    def runbook(self) -> str:
        """The address of the runbook for a link; empty if a link must not have this address."""
        return self.runbook_url if re.match(RUNBOOK_PATTERN, self.runbook_url) else ""

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        return (self.name,)

    natural_key.dependencies = ["chroniker.group", "chroniker.calendar"]  # type: ignore[attr-defined]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, and mark the job for booking by the next tick, unless ``update_fields`` leaves out the schedule."""
        names = kwargs.get("update_fields")
        is_edit = names is None or bool(FIELDS_THAT_CAUSE_BOOKING & set(names))
        if is_edit:
            self.edited_at = NowPlus()  # the database's clock decides
        if names is not None and FIELDS_THAT_CAUSE_BOOKING & set(names):
            kwargs["update_fields"] = {*names, "edited_at"}
        if self.enabled and (names is None or "enabled" in names):  # enabling cancels a deletion
            self.deletion_requested_at = None
            kwargs["update_fields"] = names and {*kwargs["update_fields"], "deletion_requested_at"}
        super().save(*args, **kwargs)
        if is_edit:
            defer_edited_at([self])

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the job with all its runs. Raises ``DeletionRefused`` while a run of it is open."""
        using = kwargs.get("using") or settings.database
        with transaction.atomic(using=using):
            lock_states_and_refuse_open_runs([self.pk], using)
            return super().delete(*args, **kwargs)

    def clean(self) -> None:
        super().clean()
        validate_job(self)

    @property
    def is_declared(self) -> bool:
        """Whether code declares this job. People cannot change its command and schedule then."""
        return bool(self.managed_by) and self.enabled_when_removed is None

    @cached_property
    def closed_times(self) -> list[ClosedTime]:
        """The blackouts of its calendar. Ticks fetch them for a whole batch with ``prefetch_closed_times``."""
        return [] if self.calendar_id is None else read_closed_times([self.calendar_id])[self.calendar_id]

    @staticmethod
    def update_progress(total_parts: int, total_parts_complete: int) -> None:
        """Report the progress of the running command: ``total_parts_complete`` of ``total_parts``.

        Takes microseconds, uses no database and never blocks. The supervisor reports the newest value at most once a
        second. Outside a run it does nothing.
        """
        progress.write_progress_record(total_parts, total_parts_complete)

    @classmethod
    def from_name_or_id(cls, text: str) -> Job:
        """The job with this name, or else with this id. A name of digits is tried first. Raises ``DoesNotExist``."""
        found = cls.objects.filter(name=text).first()
        if found is None and text.isdecimal():
            found = cls.objects.filter(pk=int(text)).first()
        if found is None:
            raise cls.DoesNotExist(f"There is no job named or numbered {text!r}.")
        return found


def prefetch_closed_times(jobs: Iterable[Job]) -> None:
    """Set ``closed_times`` of those jobs that have a calendar, with one statement for all of them."""
    with_calendar = [job for job in jobs if job.calendar_id is not None]
    found = read_closed_times({job.calendar_id for job in with_calendar if job.calendar_id is not None})
    for job in with_calendar:
        job.closed_times = found[job.calendar_id or 0]


@receiver(pre_save, sender=Job)
def mark_fixture_job_for_booking(instance: Job, raw: bool, **kwargs: Any) -> None:
    """Mark jobs that ``loaddata`` wrote (``raw``) for booking by the next tick: ``save`` was not called for them."""
    if raw:
        instance.edited_at = NowPlus()  # the database's clock decides

"""The columns of a job that ``job_validation`` checks: command, placement, schedule, monitor; and its tags."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.alert_fields import AlertFields
from chroniker.models.schedule_fields import ScheduleFields, WaitingFields
from chroniker.models.tag import Tag


class CommandFields(models.Model):
    """The command and its environment."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    command = models.CharField(
        _("command"), max_length=200, blank=True, help_text=_("A management command of this project.")
    )
    args = models.TextField(
        _("arguments"),
        blank=True,
        help_text=_(
            "As on a command line: --verbosity 2 'two words' file.txt. Placeholders are filled in when it starts:"
            ' --day {{ scheduled_for|date:"Y-m-d" }}'
        ),
    )
    raw_command = models.TextField(
        _("raw command"),
        blank=True,
        help_text=_("Instead of a management command: a program and its arguments. It is run without a shell."),
    )
    environment = models.TextField(
        _("environment"), blank=True, help_text=_("Environment variables of the command, one per line: NAME=value")
    )
    secrets = models.TextField(
        _("secrets"),
        blank=True,
        help_text=_(
            "Environment variables whose values are stored elsewhere, one per line: "
            "NAME=setting:PAYMENT_KEY or NAME=env:PAYMENT_KEY"
        ),
    )
    working_directory = models.CharField(
        _("working directory"), max_length=500, blank=True, help_text=_("Leave empty to use the worker's directory.")
    )

    class Meta:
        abstract = True


class PlacementFields(models.Model):
    """Executor, queue and host of the runs."""

    executor = models.CharField(_("executor"), max_length=50, default="default")
    queue = models.CharField(_("queue"), max_length=100, blank=True)
    priority = models.PositiveSmallIntegerField(
        _("priority"), null=True, blank=True, validators=[MaxValueValidator(255)]
    )
    hostname = models.CharField(
        _("host"),
        max_length=200,
        blank=True,
        help_text=_("A name: run on that host only. *: run on every live host. Leave empty to run on any host."),
    )

    class Meta:
        abstract = True


class MonitorFields(models.Model):
    """The link and texts of a monitor."""

    is_monitor = models.BooleanField(
        _("is a monitor"),
        default=False,
        help_text=_("Also lists the job under Monitors, with the result of its latest run."),
    )
    monitor_url = models.CharField(
        _("monitor URL"),
        max_length=255,
        blank=True,
        help_text=_(
            'The page that shows the records; a template: /admin/shop/order/?created__lt={% now_offset "Y-m-d" -7 %}'
        ),
    )
    monitor_error_template = models.TextField(
        _("monitor error template"),
        blank=True,
        help_text=_(
            "The text that check_monitor writes when records need attention. It may contain {{ count }}, "
            "{{ records }}, {{ url }}, {{ description }}, {{ job.name }} and {{ stderr }}, the standard text. "
            "Empty: the standard text."
        ),
    )
    monitor_description = models.TextField(
        _("monitor description"), blank=True, help_text=_("What the monitor checks, and what to do about it.")
    )

    class Meta:
        abstract = True


class TagFields(models.Model):
    """The tags, for filters."""

    tags = models.ManyToManyField(
        Tag,
        verbose_name=_("tags"),
        blank=True,
        related_name="jobs",
        help_text=_("Words by which lists of jobs are filtered, with spaces between."),
    )

    class Meta:
        abstract = True


class JobFields(CommandFields, PlacementFields, ScheduleFields, WaitingFields, MonitorFields, AlertFields, TagFields):
    class Meta:
        abstract = True

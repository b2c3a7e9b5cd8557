"""The tables of django-celery-beat, with the columns that are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from django.apps.registry import Apps
from django.db import models
from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.exceptions import ImportRefused
from chroniker.importing import dump_files
from chroniker.importing.foreign_tables import read_rows, table_exists

M = TypeVar("M", bound=models.Model)
APP_LABEL = "django_celery_beat"


class BeatMeta:
    apps = Apps()
    app_label = APP_LABEL
    managed = False


class Crontab(models.Model):
    minute = models.CharField(max_length=240, default="*")
    hour = models.CharField(max_length=96, default="*")
    day_of_month = models.CharField(max_length=124, default="*")
    month_of_year = models.CharField(max_length=64, default="*")
    day_of_week = models.CharField(max_length=64, default="*")
    timezone = models.CharField(max_length=63, default="UTC")

    class Meta(BeatMeta):
        db_table = "django_celery_beat_crontabschedule"


class Interval(models.Model):
    every = models.IntegerField()
    period = models.CharField(max_length=24)

    class Meta(BeatMeta):
        db_table = "django_celery_beat_intervalschedule"


class Clocked(models.Model):
    clocked_time = models.DateTimeField()

    class Meta(BeatMeta):
        db_table = "django_celery_beat_clockedschedule"


class Solar(models.Model):
    event = models.CharField(max_length=24)

    class Meta(BeatMeta):
        db_table = "django_celery_beat_solarschedule"


class Task(models.Model):
    name = models.CharField(max_length=200)
    task = models.CharField(max_length=200)
    crontab = models.BigIntegerField(db_column="crontab_id", null=True)
    interval = models.BigIntegerField(db_column="interval_id", null=True)
    clocked = models.BigIntegerField(db_column="clocked_id", null=True)
    solar = models.BigIntegerField(db_column="solar_id", null=True)
    args = models.TextField(default="[]")
    kwargs = models.TextField(default="{}")
    queue = models.CharField(max_length=200, null=True)
    exchange = models.CharField(max_length=200, null=True)
    routing_key = models.CharField(max_length=200, null=True)
    headers = models.TextField(null=True)
    priority = models.PositiveIntegerField(null=True)
    expires = models.DateTimeField(null=True)
    expire_seconds = models.PositiveIntegerField(null=True)
    one_off = models.BooleanField(default=False)
    start_time = models.DateTimeField(null=True)
    enabled = models.BooleanField(default=True)
    last_run_at = models.DateTimeField(null=True)
    total_run_count = models.PositiveIntegerField(default=0)
    date_changed = models.DateTimeField(null=True)
    description = models.TextField(default="")

    class Meta(BeatMeta):
        db_table = "django_celery_beat_periodictask"


@dataclass(frozen=True, slots=True)
class BeatRows:
    """All rows of django-celery-beat."""

    tasks: list[Task]
    crontabs: dict[int, Crontab]
    intervals: dict[int, Interval]
    clocked: dict[int, Clocked]
    solar: dict[int, Solar]


def read_beat_tables() -> BeatRows:
    """Raises ``ImportRefused`` if the tables do not exist."""
    using = settings.database
    if not table_exists(Task, using):
        raise ImportRefused(
            _("There are no tables of django-celery-beat in this database. Give a FILE of “dumpdata %(app)s -o FILE”.")
            % {"app": APP_LABEL}
        )

    def rows_by_id(model: type[M]) -> dict[int, M]:
        return {row.pk: row for row in read_rows(model, using)} if table_exists(model, using) else {}

    return BeatRows(
        read_rows(Task, using), rows_by_id(Crontab), rows_by_id(Interval), rows_by_id(Clocked), rows_by_id(Solar)
    )


def read_beat_dump_file(path: str) -> BeatRows:
    objects = dump_files.read_dump_objects(path)
    tasks = dump_files.rows_of_model(Task, f"{APP_LABEL}.periodictask", objects)
    if not tasks:
        raise ImportRefused(_("%(path)s contains no tasks of django-celery-beat.") % {"path": path})

    def rows_by_id(model: type[M], label: str) -> dict[int, M]:
        return {row.pk: row for row in dump_files.rows_of_model(model, f"{APP_LABEL}.{label}", objects)}

    return BeatRows(
        tasks,
        rows_by_id(Crontab, "crontabschedule"),
        rows_by_id(Interval, "intervalschedule"),
        rows_by_id(Clocked, "clockedschedule"),
        rows_by_id(Solar, "solarschedule"),
    )

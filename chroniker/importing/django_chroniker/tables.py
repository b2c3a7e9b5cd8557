"""The renamed tables of django-chroniker, with the columns that are read.

The models are in a separate app registry, so that Django creates no migrations for them.
"""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import models


class OldMeta:
    apps = Apps()
    app_label = "chroniker_v1"
    managed = False


class OldJob(models.Model):
    name = models.CharField(max_length=200)
    frequency = models.CharField(max_length=10)
    params = models.TextField(null=True)
    command = models.CharField(max_length=200, default="")
    args = models.CharField(max_length=200, default="")
    raw_command = models.CharField(max_length=1000, null=True)
    enabled = models.BooleanField(default=True)
    next_run = models.DateTimeField(null=True)
    #: A column of version 1.1.0. None: the job is of an older version.
    jitter_seconds = models.PositiveIntegerField(null=True)
    last_run = models.DateTimeField(null=True)
    is_running = models.BooleanField(default=False)
    last_run_successful = models.BooleanField(null=True)
    email_errors_to_subscribers = models.BooleanField(default=True)
    email_success_to_subscribers = models.BooleanField(default=False)
    force_run = models.BooleanField(default=False)
    timeout_seconds = models.PositiveIntegerField(default=0)
    hostname = models.CharField(max_length=700, null=True)
    is_monitor = models.BooleanField(default=False)
    monitor_url = models.CharField(max_length=255, null=True)
    monitor_error_template = models.TextField(null=True)
    monitor_description = models.TextField(null=True)
    maximum_log_entries = models.PositiveIntegerField(default=1000)
    log_stdout = models.BooleanField(default=True)
    log_stderr = models.BooleanField(default=True)

    class Meta(OldMeta):
        db_table = "chroniker_v1_job"


class OldSubscription(models.Model):
    job = models.BigIntegerField(db_column="job_id")
    user = models.BigIntegerField(db_column="user_id")

    class Meta(OldMeta):
        db_table = "chroniker_v1_job_subscribers"


class OldDependency(models.Model):
    dependent = models.BigIntegerField(db_column="dependent_id")
    dependee = models.BigIntegerField(db_column="dependee_id")
    wait_for_completion = models.BooleanField(default=True)
    wait_for_success = models.BooleanField(default=True)
    wait_for_next_run = models.BooleanField(default=True)

    class Meta(OldMeta):
        db_table = "chroniker_v1_jobdependency"


class OldLog(models.Model):
    job = models.BigIntegerField(db_column="job_id")
    run_start_datetime = models.DateTimeField()
    run_end_datetime = models.DateTimeField(null=True)
    stdout = models.TextField(default="")
    stderr = models.TextField(default="")
    hostname = models.CharField(max_length=700, null=True)
    success = models.BooleanField(default=True)
    on_time = models.BooleanField(default=True)

    class Meta(OldMeta):
        db_table = "chroniker_v1_log"

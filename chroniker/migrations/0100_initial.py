import datetime

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

import chroniker.models.base
import chroniker.models.indexes
import chroniker.models.schedule_fields
import chroniker.reasons

OLD_TABLES = ("chroniker_job", "chroniker_job_subscribers", "chroniker_log", "chroniker_jobdependency")


def rename_old_tables(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Rename the tables of django-chroniker, which have the same app label, without changing their contents."""
    tables = set(schema_editor.connection.introspection.table_names())
    for old in OLD_TABLES:
        new = old.replace("chroniker_", "chroniker_v1_", 1)
        if old in tables and new not in tables:
            names = {"old_table": schema_editor.quote_name(old), "new_table": schema_editor.quote_name(new)}
            schema_editor.execute(schema_editor.sql_rename_table % names)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # All fields, indexes and constraints stand in CreateModel: SQLite makes a new table for most later changes.
        # Not atomic: MySQL refuses to rename within a transaction; the others run the whole migration in one.
        migrations.RunPython(rename_old_tables, migrations.RunPython.noop, atomic=False),
        migrations.CreateModel(
            name="Calendar",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200, unique=True, verbose_name="name")),
            ],
            options={
                "verbose_name": "blackout calendar",
                "verbose_name_plural": "blackout calendars",
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Channel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("MAIL", "email"),
                            ("WEBHOOK", "webhook"),
                            ("SLACK", "Slack"),
                            ("TEAMS", "Microsoft Teams"),
                            ("PAGERDUTY", "PagerDuty"),
                            ("JSON", "JSON of your own"),
                            ("PING", "ping (healthchecks.io and others)"),
                            ("SENTRY", "Sentry check-in"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "target",
                    models.CharField(
                        blank=True,
                        help_text="Email: addresses, user:NAME and owner, with commas between. Webhook, Slack, Teams, JSON: the https:// address that the service gave you. PagerDuty: empty, or its address for the EU. Ping: the address of the check; {slug} in it becomes the job's name. Sentry: the DSN of the project. Or setting:CHRONIKER_CHANNEL_NAME or env:CHRONIKER_CHANNEL_NAME, to keep it out of the database.",
                        max_length=1000,
                        verbose_name="target",
                    ),
                ),
                (
                    "secret",
                    models.CharField(
                        blank=True,
                        help_text="Webhook: the key that signs each message, or empty. PagerDuty: the integration key. Or setting: or env:, as for the target.",
                        max_length=300,
                        verbose_name="secret",
                    ),
                ),
                (
                    "template",
                    models.TextField(
                        blank=True,
                        help_text="JSON of your own: the body, with placeholders in its texts, such as {{ job }} and {{ text }}.",
                        max_length=10000,
                        verbose_name="template",
                    ),
                ),
                (
                    "events",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="If none is chosen, the channel gets all alerts and alarms, but no messages about runs.",
                        verbose_name="events",
                    ),
                ),
                (
                    "is_default",
                    models.BooleanField(
                        default=False,
                        help_text="For jobs for which neither the job nor its group has a channel, and for alarms about the scheduler.",
                        verbose_name="default",
                    ),
                ),
                (
                    "send_output",
                    models.BooleanField(
                        default=False,
                        help_text="Email and ping: with the last 50 lines of the run's output.",
                        verbose_name="send output",
                    ),
                ),
                ("is_about_runs", models.BooleanField(default=False, editable=False)),
            ],
            options={
                "verbose_name": "channel",
                "verbose_name_plural": "channels",
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Group",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("paused_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="paused since")),
                ("paused_by", models.CharField(blank=True, editable=False, max_length=150, verbose_name="paused by")),
                (
                    "paused_reason",
                    models.CharField(blank=True, editable=False, max_length=500, verbose_name="paused because"),
                ),
                ("name", models.CharField(max_length=200, unique=True, verbose_name="name")),
                (
                    "limit",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The number of jobs of the group that may be queued or running at once. Leave empty for no limit.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="limit",
                    ),
                ),
                (
                    "alert_done_by",
                    models.CharField(
                        blank=True,
                        help_text="Alert when the last scheduled time before this time of day has no success by then: 06:00, or 06:00 mon-fri. In the time zone of the job. “never”: no such alert.",
                        max_length=50,
                        validators=[chroniker.models.alert_fields.validate_done_by],
                        verbose_name="done by",
                    ),
                ),
                (
                    "alert_failures",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Alert when so many runs in a row have failed, retries included in each. Empty: 1. 0: never.",
                        null=True,
                        verbose_name="failing after",
                    ),
                ),
                (
                    "alert_repeat_seconds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Send an open alert again each time so long has passed. 0: never.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(31622400)],
                        verbose_name="repeat after, seconds",
                    ),
                ),
                ("alert_revision", models.BigIntegerField(default=0, editable=False)),
                ("alert_revision_seen", models.BigIntegerField(default=0, editable=False)),
                (
                    "alert_run_seconds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Alert when a run takes longer. 0: never.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(31622400)],
                        verbose_name="slow after, seconds",
                    ),
                ),
                (
                    "alert_start_seconds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Alert when a scheduled time has not started so long after it. 0: never.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(31622400)],
                        verbose_name="late after, seconds",
                    ),
                ),
                (
                    "resumed_at",
                    models.DateTimeField(
                        editable=False,
                        help_text="The end of its last pause: lateness counts from here at the earliest.",
                        null=True,
                    ),
                ),
                (
                    "channels",
                    models.ManyToManyField(
                        blank=True,
                        help_text="They get messages about its jobs that have no channel of their own.",
                        related_name="groups",
                        to="chroniker.channel",
                        verbose_name="channels",
                    ),
                ),
            ],
            options={
                "verbose_name": "group",
                "verbose_name_plural": "groups",
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Host",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200, unique=True, verbose_name="name")),
                ("last_seen", models.DateTimeField(verbose_name="last seen")),
                (
                    "clock_skew_seconds",
                    models.FloatField(
                        help_text="The host's clock minus the database's, when last seen.",
                        null=True,
                        verbose_name="clock skew, seconds",
                    ),
                ),
                (
                    "suspended_until",
                    models.DateTimeField(
                        help_text="Until then no run starts and no lease expires on this host.",
                        null=True,
                        verbose_name="suspended until",
                    ),
                ),
                ("suspended_because", models.TextField(blank=True, verbose_name="suspended because")),
                (
                    "draining_since",
                    models.DateTimeField(
                        help_text="Since then this host claims and starts nothing. Empty: it does.",
                        null=True,
                        verbose_name="draining since",
                    ),
                ),
                ("draining_by", models.CharField(blank=True, max_length=150, verbose_name="drained by")),
                ("draining_workers", models.JSONField(blank=True, default=list)),
            ],
            options={
                "verbose_name": "host",
                "verbose_name_plural": "hosts",
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        max_length=50,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9][a-z0-9_.:-]{0,49}\\Z",
                                "A tag has at most 50 of these characters: a-z 0-9 _ . : -, and begins with a letter or digit.",
                            )
                        ],
                        verbose_name="name",
                    ),
                ),
            ],
            options={
                "verbose_name": "tag",
                "verbose_name_plural": "tags",
                "ordering": ("name",),
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200, unique=True, verbose_name="name")),
                (
                    "command",
                    models.CharField(
                        blank=True,
                        help_text="A management command of this project.",
                        max_length=200,
                        verbose_name="command",
                    ),
                ),
                (
                    "args",
                    models.TextField(
                        blank=True,
                        help_text="As on a command line: --verbosity 2 'two words' file.txt. Placeholders are filled in when it starts: --day {{ scheduled_for|date:\"Y-m-d\" }}",
                        verbose_name="arguments",
                    ),
                ),
                (
                    "raw_command",
                    models.TextField(
                        blank=True,
                        help_text="Instead of a management command: a program and its arguments. It is run without a shell.",
                        verbose_name="raw command",
                    ),
                ),
                (
                    "environment",
                    models.TextField(
                        blank=True,
                        help_text="Environment variables of the command, one per line: NAME=value",
                        verbose_name="environment",
                    ),
                ),
                (
                    "secrets",
                    models.TextField(
                        blank=True,
                        help_text="Environment variables whose values are stored elsewhere, one per line: NAME=setting:PAYMENT_KEY or NAME=env:PAYMENT_KEY",
                        verbose_name="secrets",
                    ),
                ),
                (
                    "working_directory",
                    models.CharField(
                        blank=True,
                        help_text="Leave empty to use the worker's directory.",
                        max_length=500,
                        verbose_name="working directory",
                    ),
                ),
                ("enabled", models.BooleanField(default=True, verbose_name="enabled")),
                (
                    "managed_by",
                    models.CharField(
                        blank=True,
                        editable=False,
                        help_text="The file that declares this job. Empty: it is managed in the admin.",
                        max_length=255,
                        verbose_name="declared in",
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        blank=True,
                        editable=False,
                        help_text="Identifies the imported job, so that a second import does not add it again.",
                        max_length=255,
                        verbose_name="imported from",
                    ),
                ),
                (
                    "enabled_when_removed",
                    models.BooleanField(
                        editable=False,
                        help_text="Whether it was enabled when its declaration was removed. Empty: it is still declared, or never was.",
                        null=True,
                    ),
                ),
                (
                    "frequency",
                    models.CharField(
                        choices=[
                            ("CRON", "cron expression"),
                            ("ONCE", "once"),
                            ("YEARLY", "yearly"),
                            ("MONTHLY", "monthly"),
                            ("WEEKLY", "weekly"),
                            ("DAILY", "daily"),
                            ("HOURLY", "hourly"),
                            ("MINUTELY", "every n minutes"),
                            ("SECONDLY", "every n seconds"),
                            ("MANUAL", "by hand only, or by a trigger"),
                        ],
                        default="CRON",
                        max_length=10,
                        verbose_name="frequency",
                    ),
                ),
                ("cron", models.CharField(blank=True, max_length=255, verbose_name="cron expression")),
                (
                    "params",
                    models.TextField(
                        blank=True,
                        help_text="For recurrence rules (yearly to every n seconds): interval:15;byhour:7,8,9",
                        verbose_name="rule parameters",
                    ),
                ),
                ("run_at", models.DateTimeField(blank=True, null=True, verbose_name="run at")),
                ("starts_at", models.DateTimeField(blank=True, null=True, verbose_name="starts at")),
                ("ends_at", models.DateTimeField(blank=True, null=True, verbose_name="ends at")),
                (
                    "timezone",
                    models.CharField(
                        default=chroniker.models.schedule_fields.project_timezone,
                        max_length=64,
                        verbose_name="time zone",
                    ),
                ),
                (
                    "dst_gap",
                    models.CharField(
                        choices=[("RUN", "run right after the skipped hour"), ("SKIP", "do not run")],
                        default="RUN",
                        max_length=6,
                        verbose_name="when the clock skips an hour (DST start)",
                    ),
                ),
                (
                    "dst_fold",
                    models.CharField(
                        choices=[
                            ("FIRST", "run the first time"),
                            ("SECOND", "run the second time"),
                            ("BOTH", "run both times"),
                        ],
                        default="FIRST",
                        max_length=6,
                        verbose_name="when an hour repeats (DST end)",
                    ),
                ),
                (
                    "jitter_seconds",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Delays this job by a fixed offset of up to this many seconds, so that jobs due at once do not start together.",
                        validators=[django.core.validators.MaxValueValidator(86400)],
                        verbose_name="jitter, seconds",
                    ),
                ),
                (
                    "overlap",
                    models.CharField(
                        choices=[
                            ("WAIT", "wait: start when the run ends"),
                            ("SKIP", "skip them"),
                            ("REPLACE", "replace: stop the run, then start"),
                        ],
                        default="WAIT",
                        max_length=8,
                        verbose_name="overlap",
                    ),
                ),
                (
                    "misfire_grace_seconds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="A scheduled time that is later than this is skipped. Leave empty to run late starts once.",
                        null=True,
                        verbose_name="misfire grace, seconds",
                    ),
                ),
                (
                    "catch_up",
                    models.CharField(
                        choices=[
                            ("COALESCE", "one run for all of them"),
                            ("EACH", "one run for each, in order"),
                            ("LATEST", "one run for the last; skip the others"),
                        ],
                        default="COALESCE",
                        help_text="What becomes of several scheduled times that wait: after an outage, or while the job was running.",
                        max_length=8,
                        verbose_name="catch-up",
                    ),
                ),
                (
                    "hold_on_failure",
                    models.BooleanField(
                        default=False,
                        help_text="When a run of the schedule or of a trigger has failed, and its retries too, the further ones wait until someone resumes the job or a run by hand succeeds.",
                        verbose_name="hold on failure",
                    ),
                ),
                (
                    "start_deadline_seconds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="A queued run that no worker starts within this time is lost. Leave empty to use the project's setting.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="start deadline, seconds",
                    ),
                ),
                (
                    "timeout_seconds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Leave empty or 0 for no timeout.",
                        null=True,
                        verbose_name="timeout, seconds",
                    ),
                ),
                ("max_retries", models.PositiveSmallIntegerField(default=0, verbose_name="retries after a failure")),
                (
                    "retry_backoff_seconds",
                    models.PositiveIntegerField(
                        default=60,
                        help_text="The delay before the first retry. It doubles with each retry.",
                        verbose_name="retry back-off, seconds",
                    ),
                ),
                (
                    "retry_on_lost",
                    models.BooleanField(
                        default=False,
                        help_text="The command of a lost run may have finished, so a retry may repeat its work.",
                        verbose_name="retry when lost",
                    ),
                ),
                ("fail_on_stderr", models.BooleanField(default=False, verbose_name="output on stderr is a failure")),
                ("executor", models.CharField(default="default", max_length=50, verbose_name="executor")),
                ("queue", models.CharField(blank=True, max_length=100, verbose_name="queue")),
                (
                    "priority",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(255)],
                        verbose_name="priority",
                    ),
                ),
                (
                    "hostname",
                    models.CharField(
                        blank=True,
                        help_text="A name: run on that host only. *: run on every live host. Leave empty to run on any host.",
                        max_length=200,
                        verbose_name="host",
                    ),
                ),
                ("log_stdout", models.BooleanField(default=True, verbose_name="keep standard output")),
                ("log_stderr", models.BooleanField(default=True, verbose_name="keep standard error")),
                (
                    "log_max_bytes",
                    models.PositiveBigIntegerField(
                        blank=True,
                        default=10000000,
                        help_text="Of a longer output, the beginning and the end are kept. Leave empty to keep all.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1024)],
                        verbose_name="output kept, bytes",
                    ),
                ),
                (
                    "maximum_log_entries",
                    models.PositiveIntegerField(
                        default=1000,
                        help_text="Older closed runs of this job are deleted. 0 keeps all.",
                        verbose_name="runs kept",
                    ),
                ),
                (
                    "email_errors_to_subscribers",
                    models.BooleanField(default=True, verbose_name="mail errors to subscribers"),
                ),
                (
                    "email_success_to_subscribers",
                    models.BooleanField(default=False, verbose_name="mail successes to subscribers"),
                ),
                (
                    "owner",
                    models.CharField(
                        blank=True,
                        help_text="The person or team to ask when it fails.",
                        max_length=200,
                        verbose_name="owner",
                    ),
                ),
                (
                    "runbook_url",
                    models.CharField(
                        blank=True,
                        help_text="What to do when it fails: an address, or a path of this site.",
                        max_length=500,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^(https?://[^\\s/?#]+|/(?!/))[^\\s]*\\Z",
                                "Give an address that begins with https://, http:// or /.",
                            )
                        ],
                        verbose_name="runbook",
                    ),
                ),
                (
                    "is_monitor",
                    models.BooleanField(
                        default=False,
                        help_text="Also lists the job under Monitors, with the result of its latest run.",
                        verbose_name="is a monitor",
                    ),
                ),
                (
                    "monitor_url",
                    models.CharField(
                        blank=True,
                        help_text='The page that shows the records; a template: /admin/shop/order/?created__lt={% now_offset "Y-m-d" -7 %}',
                        max_length=255,
                        verbose_name="monitor URL",
                    ),
                ),
                (
                    "monitor_error_template",
                    models.TextField(
                        blank=True,
                        help_text="The text that check_monitor writes when records need attention. It may contain {{ count }}, {{ records }}, {{ url }}, {{ description }}, {{ job.name }} and {{ stderr }}, the standard text. Empty: the standard text.",
                        verbose_name="monitor error template",
                    ),
                ),
                (
                    "monitor_description",
                    models.TextField(
                        blank=True,
                        help_text="What the monitor checks, and what to do about it.",
                        verbose_name="monitor description",
                    ),
                ),
                (
                    "force_run",
                    models.BooleanField(
                        default=False,
                        help_text="Runs the job at the next tick. The schedule does not change.",
                        verbose_name="force run",
                    ),
                ),
                (
                    "force_stop",
                    models.BooleanField(
                        default=False, help_text="Stops the open run at the next tick.", verbose_name="force stop"
                    ),
                ),
                (
                    "edited_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now,
                        editable=False,
                        help_text="When the schedule or “enabled” was last changed. The next tick books the job again "
                        "and clears this field.",
                        null=True,
                    ),
                ),
                (
                    "deletion_requested_at",
                    models.DateTimeField(
                        editable=False,
                        help_text="The job was deleted while a run of it was open. It is removed when the run has ended.",
                        null=True,
                    ),
                ),
                (
                    "calendar",
                    models.ForeignKey(
                        blank=True,
                        help_text="Scheduled times in one of its blackouts are skipped.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="jobs",
                        to="chroniker.calendar",
                        verbose_name="blackout calendar",
                    ),
                ),
                (
                    "group",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="jobs",
                        to="chroniker.group",
                        verbose_name="group",
                    ),
                ),
                (
                    "subscribers",
                    models.ManyToManyField(
                        blank=True,
                        db_table="chroniker_subscription",
                        related_name="chroniker_jobs",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="subscribers",
                    ),
                ),
                (
                    "alert_done_by",
                    models.CharField(
                        blank=True,
                        help_text="Alert when the last scheduled time before this time of day has no success by then: 06:00, or 06:00 mon-fri. In the time zone of the job. “never”: no such alert.",
                        max_length=50,
                        validators=[chroniker.models.alert_fields.validate_done_by],
                        verbose_name="done by",
                    ),
                ),
                (
                    "alert_failures",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Alert when so many runs in a row have failed, retries included in each. Empty: 1. 0: never.",
                        null=True,
                        verbose_name="failing after",
                    ),
                ),
                (
                    "alert_repeat_seconds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Send an open alert again each time so long has passed. 0: never.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(31622400)],
                        verbose_name="repeat after, seconds",
                    ),
                ),
                (
                    "alert_run_seconds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Alert when a run takes longer. 0: never.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(31622400)],
                        verbose_name="slow after, seconds",
                    ),
                ),
                (
                    "alert_start_seconds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Alert when a scheduled time has not started so long after it. 0: never.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(31622400)],
                        verbose_name="late after, seconds",
                    ),
                ),
                (
                    "channels",
                    models.ManyToManyField(
                        blank=True,
                        help_text="They get messages about this job. Choose none for those of its group, else the default ones.",
                        related_name="jobs",
                        to="chroniker.channel",
                        verbose_name="channels",
                    ),
                ),
                (
                    "tags",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Words by which lists of jobs are filtered, with spaces between.",
                        related_name="jobs",
                        to="chroniker.tag",
                        verbose_name="tags",
                    ),
                ),
            ],
            options={
                "verbose_name": "job",
                "verbose_name_plural": "jobs",
                "ordering": ("name",),
                "permissions": (("run_job", "Can run a job now"), ("stop_job", "Can stop a running job")),
                "indexes": [
                    models.Index(fields=["force_run"], name="chroniker_job_force_run"),
                    models.Index(fields=["force_stop"], name="chroniker_job_force_stop"),
                    models.Index(fields=["edited_at"], name="chroniker_job_edited_at"),
                    models.Index(fields=["is_monitor", "name"], name="chroniker_job_monitors"),
                    models.Index(fields=["deletion_requested_at"], name="chroniker_job_deletion"),
                    models.Index(fields=["overlap"], name="chroniker_job_overlap"),
                    models.Index(fields=["enabled", "name"], name="chroniker_job_enabled"),
                    models.Index(fields=["queue"], name="chroniker_job_queue"),
                    models.Index(fields=["owner"], name="chroniker_job_owner"),
                    models.Index(fields=["executor"], name="chroniker_job_executor"),
                    models.Index(fields=["command"], name="chroniker_job_command"),
                    models.Index(fields=["hostname"], name="chroniker_job_hostname"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=chroniker.models.base.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "token",
                    models.BigIntegerField(
                        help_text="The number of the run within its job. It only grows.", verbose_name="token"
                    ),
                ),
                ("slot", models.CharField(blank=True, max_length=100, verbose_name="slot")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("CLAIMED", "queued"),
                            ("RUNNING", "running"),
                            ("SUCCEEDED", "succeeded"),
                            ("FAILED", "failed"),
                            ("TIMED_OUT", "timed out"),
                            ("STOPPED", "stopped"),
                            ("LOST", "lost"),
                            ("SKIPPED", "skipped"),
                        ],
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("SCHEDULE", "schedule"),
                            ("MANUAL", "by hand"),
                            ("RETRY", "retry"),
                            ("EVENT", "trigger"),
                            ("BACKFILL", "backfill"),
                        ],
                        max_length=10,
                        verbose_name="trigger",
                    ),
                ),
                ("attempt", models.PositiveIntegerField(default=1, verbose_name="attempt")),
                (
                    "args",
                    models.TextField(
                        help_text="Arguments for this run only. Empty: the job's own.",
                        null=True,
                        verbose_name="arguments",
                    ),
                ),
                (
                    "required_host",
                    models.CharField(
                        blank=True,
                        help_text="The only host that may start the run. Empty: any host.",
                        max_length=200,
                        verbose_name="for host",
                    ),
                ),
                (
                    "chain",
                    models.BigIntegerField(
                        help_text="Token of the first attempt of its chain of retries. Empty: skipped or imported.",
                        null=True,
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("SCHEDULE", "schedule"),
                            ("MANUAL", "by hand"),
                            ("RETRY", "retry"),
                            ("EVENT", "trigger"),
                            ("BACKFILL", "backfill"),
                        ],
                        help_text="Trigger of the first attempt of its chain.",
                        max_length=10,
                    ),
                ),
                ("cause", models.UUIDField(help_text="The run that triggered it. Empty: no run did.", null=True)),
                ("depth", models.PositiveSmallIntegerField(default=0, help_text="Triggers in a row that led to it.")),
                (
                    "asked_by",
                    models.CharField(
                        blank=True,
                        help_text="Who requested this run. Empty: nobody did.",
                        max_length=150,
                        verbose_name="requested by",
                    ),
                ),
                ("scheduled_for", models.DateTimeField(null=True, verbose_name="scheduled for")),
                ("covered_until", models.DateTimeField(null=True, verbose_name="covers instants until")),
                (
                    "instant",
                    models.DateTimeField(help_text="The first instant that it is for. Empty: imported.", null=True),
                ),
                (
                    "instant_until",
                    models.DateTimeField(help_text="The last instant that it is for. Empty: imported.", null=True),
                ),
                (
                    "interval_start",
                    models.DateTimeField(
                        help_text="The last instant of its schedule before ``instant``. Empty: none is known.",
                        null=True,
                    ),
                ),
                ("claimed_at", models.DateTimeField(db_index=True, verbose_name="claimed at")),
                ("dispatched_at", models.DateTimeField(null=True, verbose_name="dispatched at")),
                ("dispatch_count", models.PositiveIntegerField(default=0)),
                ("redispatch_at", models.DateTimeField(db_index=True, null=True)),
                (
                    "taken_at",
                    models.DateTimeField(
                        help_text="When a worker received it. Empty: none did yet, or it ended before it was started.",
                        null=True,
                        verbose_name="taken at",
                    ),
                ),
                ("started_at", models.DateTimeField(null=True, verbose_name="started at")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                ("stop_requested_at", models.DateTimeField(null=True, verbose_name="stop requested at")),
                ("stop_requested_by", models.CharField(blank=True, max_length=150, verbose_name="stop requested by")),
                ("nonce", models.UUIDField(editable=False, null=True)),
                ("host", models.CharField(blank=True, max_length=200, verbose_name="host")),
                (
                    "executor",
                    models.CharField(
                        blank=True,
                        help_text="The job's executor at the claim. Empty: imported.",
                        max_length=50,
                        verbose_name="executor",
                    ),
                ),
                (
                    "queue",
                    models.CharField(
                        blank=True,
                        help_text="The queue of its message. Empty: its executor has none.",
                        max_length=200,
                        verbose_name="queue",
                    ),
                ),
                (
                    "worker",
                    models.CharField(
                        blank=True,
                        help_text="The worker that started it. Empty: not started.",
                        max_length=200,
                        verbose_name="worker",
                    ),
                ),
                ("pid", models.BigIntegerField(null=True, verbose_name="process")),
                (
                    "argv",
                    models.JSONField(
                        help_text="The words of the command as it was started. Empty: not started, or too long to store.",
                        null=True,
                        verbose_name="command line",
                    ),
                ),
                (
                    "release",
                    models.CharField(
                        blank=True,
                        help_text="CHRONIKER_RELEASE of the process that started it.",
                        max_length=100,
                        verbose_name="release",
                    ),
                ),
                ("exit_code", models.IntegerField(null=True, verbose_name="exit status")),
                (
                    "error_line",
                    models.CharField(
                        blank=True,
                        help_text="The last line on standard error of a run that did not succeed. Empty: there was none.",
                        max_length=300,
                        verbose_name="error",
                    ),
                ),
                (
                    "cpu_seconds",
                    models.FloatField(
                        help_text="Of the command and its ended children. Empty: not measured.",
                        null=True,
                        verbose_name="CPU seconds",
                    ),
                ),
                (
                    "max_rss_kb",
                    models.BigIntegerField(
                        help_text="Of its largest process. Empty: not measured.",
                        null=True,
                        verbose_name="peak memory, kB",
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        blank=True, choices=chroniker.reasons.choices, max_length=20, verbose_name="reason"
                    ),
                ),
                ("reason_args", models.JSONField(blank=True, default=dict)),
                (
                    "reason_text",
                    models.TextField(blank=True, help_text="Free text, where there is no code.", verbose_name="reason"),
                ),
                (
                    "attention_count",
                    models.PositiveIntegerField(
                        help_text="How many records need attention, as the command reported. Empty: it reported no count.",
                        null=True,
                        verbose_name="need attention",
                    ),
                ),
                (
                    "uncounted_since",
                    models.DateTimeField(
                        db_index=True,
                        help_text="When it was closed, until it is counted in its RunHour. Empty: open, counted, or not to be counted.",
                        null=True,
                    ),
                ),
                ("total_parts", models.BigIntegerField(null=True, verbose_name="parts")),
                ("total_parts_complete", models.BigIntegerField(null=True, verbose_name="parts done")),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="chroniker.job",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="children",
                        to="chroniker.run",
                    ),
                ),
                (
                    "backfill",
                    models.UUIDField(
                        help_text="The backfill that it is part of. Empty: none, or a child of such a run.", null=True
                    ),
                ),
            ],
            options={
                "verbose_name": "run",
                "verbose_name_plural": "runs",
                "constraints": [
                    models.UniqueConstraint(fields=("job", "token"), name="chroniker_run_token"),
                    models.UniqueConstraint(fields=("job", "slot", "scheduled_for"), name="chroniker_run_instant"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", True), ("status__in", ("CLAIMED", "RUNNING"))),
                            models.Q(
                                models.Q(("status__in", ("CLAIMED", "RUNNING")), _negated=True),
                                ("finished_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="chroniker_run_open_means_unfinished",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "RUNNING"), _negated=True),
                            models.Q(("nonce__isnull", False), ("started_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="chroniker_run_running_means_started",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("covered_until__isnull", True), ("scheduled_for__isnull", True)),
                            models.Q(
                                ("covered_until__gte", models.F("scheduled_for")), ("scheduled_for__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="chroniker_run_covers_a_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "CLAIMED",
                                    "RUNNING",
                                    "SUCCEEDED",
                                    "FAILED",
                                    "TIMED_OUT",
                                    "STOPPED",
                                    "LOST",
                                    "SKIPPED",
                                ],
                            )
                        ),
                        name="chroniker_run_status_known",
                    ),
                    models.UniqueConstraint(
                        fields=("job", "instant", "backfill", "attempt"), name="chroniker_run_backfill"
                    ),
                ],
                "indexes": [
                    models.Index(fields=["status", "claimed_at"], name="chroniker_run_status"),
                    models.Index(fields=["trigger", "claimed_at"], name="chroniker_run_trigger"),
                    models.Index(fields=["host", "claimed_at"], name="chroniker_run_host"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Switch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("paused_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="paused since")),
                ("paused_by", models.CharField(blank=True, editable=False, max_length=150, verbose_name="paused by")),
                (
                    "paused_reason",
                    models.CharField(blank=True, editable=False, max_length=500, verbose_name="paused because"),
                ),
                ("server_identity", models.CharField(blank=True, editable=False, max_length=300)),
                ("table_identity", models.CharField(blank=True, editable=False, max_length=300)),
                ("installation", models.CharField(blank=True, editable=False, max_length=100)),
                ("copied_since", models.DateTimeField(editable=False, null=True)),
                ("paused_by_settings_at", models.DateTimeField(editable=False, null=True)),
                ("alert_revision", models.BigIntegerField(default=0, editable=False)),
                ("alert_revision_seen", models.BigIntegerField(default=0, editable=False)),
                ("alert_settings", models.CharField(blank=True, editable=False, max_length=64)),
                (
                    "resumed_at",
                    models.DateTimeField(
                        editable=False,
                        help_text="The end of its last pause: lateness counts from here at the earliest.",
                        null=True,
                    ),
                ),
            ],
            options={
                "verbose_name": "switch",
                "verbose_name_plural": "switches",
                "permissions": (("pause_jobs", "Can pause and resume all jobs, or a group"),),
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Monitor",
            fields=[],
            options={
                "verbose_name": "monitor",
                "verbose_name_plural": "monitors",
                "proxy": True,
                "default_permissions": ("view",),
                "indexes": [],
                "constraints": [],
            },
            bases=("chroniker.job",),
        ),
        migrations.CreateModel(
            name="JobDependency",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "wait_for_completion",
                    models.BooleanField(
                        default=True,
                        help_text="It has no open run and no pending retry.",
                        verbose_name="until it has ended",
                    ),
                ),
                (
                    "wait_for_success",
                    models.BooleanField(
                        default=True, help_text="Its latest attempt succeeded.", verbose_name="until it succeeded"
                    ),
                ),
                (
                    "wait_for_next_run",
                    models.BooleanField(
                        default=True,
                        help_text="Each of its scheduled times up to the dependent's own has run or was skipped.",
                        verbose_name="until its scheduled times have run",
                    ),
                ),
                (
                    "dependee",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dependents",
                        to="chroniker.job",
                        verbose_name="waits for",
                    ),
                ),
                (
                    "dependent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dependencies",
                        to="chroniker.job",
                        verbose_name="dependent",
                    ),
                ),
            ],
            options={
                "verbose_name": "dependency",
                "verbose_name_plural": "dependencies",
                "db_table": "chroniker_dependency",
                "constraints": [
                    models.UniqueConstraint(fields=("dependent", "dependee"), name="chroniker_dependency_once"),
                    models.CheckConstraint(
                        condition=models.Q(("dependent", models.F("dependee")), _negated=True),
                        name="chroniker_dependency_not_on_itself",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="lease",
                        serialize=False,
                        to="chroniker.run",
                    ),
                ),
                ("slot", models.CharField(blank=True, max_length=100)),
                ("token", models.BigIntegerField()),
                ("nonce", models.UUIDField(null=True)),
                ("expires_at", models.DateTimeField(db_index=True)),
                (
                    "seconds",
                    models.FloatField(help_text="How long a renewal lasts, by the settings of its holder.", null=True),
                ),
                ("total_parts", models.BigIntegerField(null=True)),
                ("total_parts_complete", models.BigIntegerField(null=True)),
                (
                    "job",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="leases",
                        to="chroniker.job",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("job", "slot"), name="chroniker_lease_one_instance")],
            },
        ),
        migrations.CreateModel(
            name="LogChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "stream",
                    models.SmallIntegerField(choices=[(0, "remark"), (1, "standard output"), (2, "standard error")]),
                ),
                ("seq", models.IntegerField()),
                (
                    "first_line",
                    models.BigIntegerField(
                        help_text="The number, in its stream, of the line that the text begins in; lines count from 1. Empty: unknown.",
                        null=True,
                    ),
                ),
                ("text", models.TextField()),
                ("written_at", models.DateTimeField()),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                        to="chroniker.run",
                    ),
                ),
            ],
            options={
                "verbose_name": "output",
                "verbose_name_plural": "output",
                "constraints": [models.UniqueConstraint(fields=("run", "stream", "seq"), name="chroniker_log_seq")],
            },
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=chroniker.models.base.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("scope", models.CharField(max_length=50)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("late", "late"),
                            ("slow", "slow"),
                            ("overdue", "overdue"),
                            ("failing", "failing"),
                            ("missed", "missed"),
                            ("held", "on hold"),
                            ("set_aside", "schedule error"),
                            ("backfill", "backfill failed"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("key", models.CharField(max_length=100)),
                ("raised_at", models.DateTimeField(verbose_name="since")),
                (
                    "ended_at",
                    models.DateTimeField(
                        db_index=True, help_text="Empty: it is open.", null=True, verbose_name="ended"
                    ),
                ),
                (
                    "reported_at",
                    models.DateTimeField(
                        help_text="When messages about it were last written. Empty: it is muted.",
                        null=True,
                        verbose_name="reported",
                    ),
                ),
                ("args", models.JSONField(default=dict)),
                (
                    "job",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alerts",
                        to="chroniker.job",
                        verbose_name="job",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="chroniker.run",
                    ),
                ),
            ],
            options={
                "verbose_name": "alert",
                "verbose_name_plural": "alerts",
                "default_permissions": ("view",),
                "constraints": [models.UniqueConstraint(fields=("scope", "kind", "key"), name="chroniker_alert_once")],
            },
        ),
        migrations.CreateModel(
            name="Outbox",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(max_length=100, verbose_name="channel")),
                ("payload", models.JSONField(default=dict)),
                ("send_at", models.DateTimeField(db_index=True, null=True, verbose_name="next attempt")),
                ("sent_at", models.DateTimeField(db_index=True, null=True, verbose_name="sent at")),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="chroniker.run",
                    ),
                ),
                (
                    "alert",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="chroniker.alert",
                    ),
                ),
                ("digest", models.UUIDField(editable=False, null=True)),
                ("event", models.CharField(blank=True, max_length=30, verbose_name="event")),
                ("is_urgent", models.BooleanField(default=False)),
                ("message_id", models.UUIDField(default=chroniker.models.base.uuid7, editable=False)),
                ("sequence", models.PositiveIntegerField(default=0)),
            ],
            options={
                "verbose_name": "outgoing message",
                "verbose_name_plural": "outgoing messages",
                "indexes": [models.Index(fields=["is_urgent", "send_at"], name="chroniker_outbox_urgent")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("run", "channel", "event", "sequence"), name="chroniker_outbox_once"
                    ),
                    models.UniqueConstraint(
                        fields=("alert", "channel", "event", "sequence"), name="chroniker_outbox_alert"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RunEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("REFUSED_DELIVERY", "delivery refused"),
                            ("LATE_REPORT", "report without the lease"),
                            ("STOP_REQUESTED", "stop requested"),
                            ("LATE_OUTCOME", "late outcome"),
                            ("LOST", "lost"),
                            ("OVERLAP", "overlap"),
                            ("NOTE", "note"),
                        ],
                        max_length=20,
                    ),
                ),
                ("code", models.CharField(blank=True, choices=chroniker.reasons.choices, max_length=20)),
                ("args", models.JSONField(blank=True, default=dict)),
                ("text", models.TextField(blank=True)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="events", to="chroniker.run"
                    ),
                ),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "events",
                "ordering": ("pk",),
                "indexes": [models.Index(fields=["kind", "at"], name="chroniker_event_kind_at")],
            },
        ),
        migrations.CreateModel(
            name="Blackout",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                ("starts_at", models.DateTimeField(verbose_name="starts at")),
                ("ends_at", models.DateTimeField(verbose_name="ends at")),
                (
                    "repeats",
                    models.CharField(
                        choices=[("NEVER", "once"), ("WEEKLY", "every week"), ("YEARLY", "every year")],
                        default="NEVER",
                        max_length=6,
                        verbose_name="repeats",
                    ),
                ),
                (
                    "calendar",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="blackouts",
                        to="chroniker.calendar",
                        verbose_name="calendar",
                    ),
                ),
            ],
            options={
                "verbose_name": "blackout",
                "verbose_name_plural": "blackouts",
                "ordering": ("starts_at",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="chroniker_blackout_ends_after_its_start",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HostService",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("executor", models.CharField(max_length=50, verbose_name="executor")),
                (
                    "worker",
                    models.CharField(
                        blank=True,
                        help_text="Its name. Empty: a process that gave none.",
                        max_length=200,
                        verbose_name="worker",
                    ),
                ),
                ("last_seen", models.DateTimeField(db_index=True, verbose_name="last seen")),
                (
                    "queues",
                    models.JSONField(
                        default=list,
                        help_text="The queues that it consumes. Empty: the executor has no queues.",
                        verbose_name="queues",
                    ),
                ),
                (
                    "slots",
                    models.PositiveIntegerField(
                        help_text="How many runs it executes at once. Empty: unknown, or no limit.",
                        null=True,
                        verbose_name="slots",
                    ),
                ),
                (
                    "busy",
                    models.PositiveIntegerField(
                        help_text="How many of them were in use at the heartbeat. Empty: unknown.",
                        null=True,
                        verbose_name="busy",
                    ),
                ),
                (
                    "version",
                    models.CharField(
                        blank=True,
                        help_text="The version of chroniker that it runs. Empty: unknown.",
                        max_length=50,
                        verbose_name="version",
                    ),
                ),
                (
                    "started_at",
                    models.DateTimeField(
                        help_text="When the worker started. Empty: unknown.", null=True, verbose_name="started at"
                    ),
                ),
                (
                    "ended_at",
                    models.DateTimeField(help_text="When the worker shut down. Empty: it did not.", null=True),
                ),
                (
                    "host",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="services",
                        to="chroniker.host",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("host", "executor", "worker"), name="chroniker_host_service_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="JobState",
            fields=[
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="state",
                        serialize=False,
                        to="chroniker.job",
                    ),
                ),
                ("revision", models.BigIntegerField(default=0, help_text="Incremented by every write of this row.")),
                (
                    "booked_fingerprint",
                    models.CharField(
                        blank=True,
                        help_text="Fingerprint of the schedule that the next instant was computed from.",
                        max_length=64,
                    ),
                ),
                (
                    "booked_zone_rules",
                    models.CharField(
                        blank=True,
                        help_text="Version of the time zone database that the next instant is based on.",
                        max_length=16,
                    ),
                ),
                (
                    "last_fingerprint",
                    models.CharField(
                        blank=True,
                        help_text="The fingerprint of the last schedule. It is kept while the job is disabled.",
                        max_length=64,
                    ),
                ),
                (
                    "fingerprint_since",
                    models.DateTimeField(
                        help_text="All instants after this moment belong to the schedule of that fingerprint.",
                        null=True,
                    ),
                ),
                (
                    "covered_until",
                    models.DateTimeField(
                        help_text="Every instant up to and including this one has a run. Only moves forward.", null=True
                    ),
                ),
                (
                    "next_instant",
                    models.DateTimeField(
                        help_text="The first instant that is not accounted for. Empty: there is none.", null=True
                    ),
                ),
                (
                    "next_run",
                    models.DateTimeField(
                        help_text="When a tick may start it: the next instant plus the job's jitter.",
                        null=True,
                        verbose_name="next run",
                    ),
                ),
                ("last_token", models.BigIntegerField(default=0)),
                (
                    "raised_from",
                    models.BigIntegerField(
                        help_text="The last token before tokens were raised, when a copy of the database was adopted.",
                        null=True,
                    ),
                ),
                (
                    "raised_to",
                    models.BigIntegerField(help_text="The last token after that. No run has one between.", null=True),
                ),
                ("retry_at", models.DateTimeField(null=True, verbose_name="retry at")),
                (
                    "retry_attempt",
                    models.PositiveIntegerField(
                        default=0, help_text="Attempts made in the chain of the pending retry, or of the last one."
                    ),
                ),
                (
                    "retry_of",
                    models.BigIntegerField(
                        help_text="The chain of the pending retry. Empty: none is pending.", null=True
                    ),
                ),
                (
                    "retry_origin",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("SCHEDULE", "schedule"),
                            ("MANUAL", "by hand"),
                            ("RETRY", "retry"),
                            ("EVENT", "trigger"),
                            ("BACKFILL", "backfill"),
                        ],
                        help_text="The trigger of the first attempt of that chain.",
                        max_length=10,
                    ),
                ),
                (
                    "retry_status",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("CLAIMED", "queued"),
                            ("RUNNING", "running"),
                            ("SUCCEEDED", "succeeded"),
                            ("FAILED", "failed"),
                            ("TIMED_OUT", "timed out"),
                            ("STOPPED", "stopped"),
                            ("LOST", "lost"),
                            ("SKIPPED", "skipped"),
                        ],
                        help_text="How the latest attempt of that chain ended.",
                        max_length=10,
                    ),
                ),
                (
                    "held_at",
                    models.DateTimeField(
                        help_text="Its scheduled times wait since then: see hold_on_failure. Empty: no.",
                        null=True,
                        verbose_name="held since",
                    ),
                ),
                (
                    "held_by_run",
                    models.BigIntegerField(help_text="Token of the run whose failure holds the job.", null=True),
                ),
                (
                    "last_status",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("CLAIMED", "queued"),
                            ("RUNNING", "running"),
                            ("SUCCEEDED", "succeeded"),
                            ("FAILED", "failed"),
                            ("TIMED_OUT", "timed out"),
                            ("STOPPED", "stopped"),
                            ("LOST", "lost"),
                            ("SKIPPED", "skipped"),
                        ],
                        help_text="How the latest attempt ended.",
                        max_length=10,
                        verbose_name="last result",
                    ),
                ),
                ("last_finished_at", models.DateTimeField(null=True, verbose_name="last finished")),
                (
                    "last_seconds",
                    models.FloatField(
                        help_text="How long the latest attempt ran. Empty: it was not started.", null=True
                    ),
                ),
                (
                    "last_instant",
                    models.DateTimeField(
                        help_text="The last instant that a claim has covered or skipped. Empty: none yet.", null=True
                    ),
                ),
                (
                    "failures",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Chains of attempts in a row that ended badly: failed, timed out or lost.",
                        verbose_name="failures",
                    ),
                ),
                (
                    "failing_since",
                    models.DateTimeField(
                        help_text="The end of the first of these chains. Empty: it is not failing.",
                        null=True,
                        verbose_name="failing since",
                    ),
                ),
                (
                    "last_success_at",
                    models.DateTimeField(
                        help_text="The end of the last successful run. Empty: none.",
                        null=True,
                        verbose_name="last success",
                    ),
                ),
                (
                    "last_success_until",
                    models.DateTimeField(
                        help_text="The last instant of the schedule that a successful run was for. Empty: none.",
                        null=True,
                    ),
                ),
                ("n_succeeded", models.BigIntegerField(default=0)),
                ("n_failed", models.BigIntegerField(default=0)),
                ("n_timed_out", models.BigIntegerField(default=0)),
                ("n_stopped", models.BigIntegerField(default=0)),
                ("n_lost", models.BigIntegerField(default=0)),
                (
                    "bad_permille",
                    models.PositiveSmallIntegerField(
                        help_text="The share of runs that failed, timed out or were lost, in thousandths. Empty: no end.",
                        null=True,
                    ),
                ),
                ("n_skipped", models.BigIntegerField(default=0, help_text="Skipped ranges of instants.")),
                (
                    "seconds_total",
                    models.FloatField(default=0.0, help_text="The durations of all its started and closed runs."),
                ),
                (
                    "recent_seconds",
                    models.JSONField(
                        default=list, help_text="The durations of the last 50 successful runs, the newest last."
                    ),
                ),
                (
                    "p50",
                    models.FloatField(help_text="The median of these durations. Empty: no success yet.", null=True),
                ),
                (
                    "p95",
                    models.FloatField(
                        help_text="95 of 100 of these durations are not longer. Empty: no success yet.", null=True
                    ),
                ),
                (
                    "schedule_error",
                    models.TextField(
                        blank=True,
                        help_text="Why the schedule cannot be computed. An edit of the job clears it.",
                        verbose_name="schedule error",
                    ),
                ),
                (
                    "schedule_error_since",
                    models.DateTimeField(
                        help_text="When the schedule error was found. Empty: there is none.", null=True
                    ),
                ),
                (
                    "alert_at",
                    models.DateTimeField(
                        help_text="The earliest time at which an alert may have to be raised. Empty: time raises none.",
                        null=True,
                    ),
                ),
                (
                    "alerts_open",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="The kinds of its open alerts, a bit each. 0: none is open."
                    ),
                ),
                (
                    "done_until",
                    models.DateTimeField(
                        help_text="The last instant that a successful run was for, whatever triggered it. Empty: none.",
                        null=True,
                    ),
                ),
                (
                    "expected_since",
                    models.DateTimeField(
                        help_text="Earlier instants are not expected to be done: the job was edited, enabled or adopted.",
                        null=True,
                    ),
                ),
                (
                    "resumed_at",
                    models.DateTimeField(
                        help_text="The end of its last hold: lateness counts from here at the earliest.", null=True
                    ),
                ),
                (
                    "backfill_at",
                    models.DateTimeField(
                        help_text="When a tick may claim the next run of its backfill. Empty: none, or its run is open.",
                        null=True,
                    ),
                ),
            ],
            options={
                "verbose_name": "job state",
                "verbose_name_plural": "job states",
                "indexes": [
                    models.Index(fields=["next_run", "job"], name="chroniker_state_next_run"),
                    chroniker.models.indexes.SparseIndex(fields=["retry_at"], name="chroniker_state_retry_at"),
                    chroniker.models.indexes.SparseIndex(fields=["held_at"], name="chroniker_state_held"),
                    chroniker.models.indexes.SparseIndex(fields=["failing_since"], name="chroniker_state_failing"),
                    chroniker.models.indexes.SparseIndex(fields=["schedule_error_since"], name="chroniker_state_error"),
                    models.Index(fields=["last_status"], name="chroniker_state_result"),
                    models.Index(fields=["last_finished_at", "job"], name="chroniker_state_finished"),
                    models.Index(fields=["p50", "job"], name="chroniker_state_usual"),
                    models.Index(fields=["bad_permille", "job"], name="chroniker_state_bad"),
                    models.Index(fields=["booked_zone_rules"], name="chroniker_state_zone_rules"),
                    models.Index(fields=["alert_at"], name="chroniker_state_alert_at"),
                    chroniker.models.indexes.SparseIndex(fields=["backfill_at"], name="chroniker_state_backfill"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TickMinute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("host", models.CharField(max_length=200)),
                ("minute", models.DateTimeField(db_index=True)),
                ("passes", models.PositiveIntegerField(default=0)),
                ("longest_pass", models.FloatField(default=0.0)),
                (
                    "longest_gap",
                    models.FloatField(
                        default=0.0, help_text="The longest time from the end of one pass to the end of the next."
                    ),
                ),
                ("claimed", models.PositiveIntegerField(default=0, help_text="Runs that these passes claimed.")),
            ],
            options={
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("host", "minute"), name="chroniker_tick_minute_once")],
            },
        ),
        migrations.CreateModel(
            name="Ticker",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("host", models.CharField(max_length=200, verbose_name="host")),
                (
                    "kind",
                    models.CharField(
                        help_text="The command or program: beat, cron or cronserver.",
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                (
                    "version",
                    models.CharField(
                        help_text="The version of chroniker that it runs.", max_length=50, verbose_name="version"
                    ),
                ),
                ("pid", models.BigIntegerField(verbose_name="process")),
                (
                    "period",
                    models.FloatField(
                        help_text="The longest time, in seconds, from the begin of one pass to the next.",
                        verbose_name="period",
                    ),
                ),
                (
                    "last_at",
                    models.DateTimeField(
                        db_index=True, help_text="When its last recorded pass ended.", verbose_name="last pass"
                    ),
                ),
                ("pass_seconds", models.FloatField(help_text="How long that pass took.", verbose_name="duration")),
                (
                    "is_paused",
                    models.BooleanField(
                        default=False, help_text="By CHRONIKER_PAUSED in its settings.", verbose_name="paused"
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
            ],
            options={
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("host", "kind"), name="chroniker_ticker_once")],
            },
        ),
        migrations.CreateModel(
            name="Activation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=chroniker.models.base.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "trigger",
                    models.BigIntegerField(
                        help_text="The id of the trigger. Empty: a program requested it.", null=True
                    ),
                ),
                (
                    "cause",
                    models.UUIDField(help_text="The last run of the chain that ended. Empty: no run did.", null=True),
                ),
                (
                    "cause_job",
                    models.CharField(blank=True, help_text="The name of that run's job, at that time.", max_length=200),
                ),
                (
                    "key",
                    models.CharField(
                        help_text="A second request with this key changes nothing.", max_length=200, null=True
                    ),
                ),
                ("instant", models.DateTimeField(help_text="The scheduled time that its run is for.")),
                (
                    "args",
                    models.JSONField(
                        help_text="The words in place of the job's arguments. Empty: the job's own.", null=True
                    ),
                ),
                ("depth", models.PositiveSmallIntegerField(default=1, help_text="Triggers in a row that led to it.")),
                ("made_at", models.DateTimeField()),
                (
                    "asked_by",
                    models.CharField(blank=True, help_text="Who requested it. Empty: a trigger did.", max_length=150),
                ),
                ("ended_at", models.DateTimeField(help_text="Empty: it waits.", null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("RUN", "Got a run"), ("PASSED", "Passed over"), ("REFUSED", "Refused")],
                        help_text="Empty: it waits.",
                        max_length=10,
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        blank=True, choices=chroniker.reasons.choices, help_text="Why it got no run.", max_length=20
                    ),
                ),
                ("run", models.UUIDField(help_text="The run that was claimed for it.", null=True)),
                (
                    "late_at",
                    models.DateTimeField(
                        help_text="When a tick checks whether its job is late. Empty: it has checked, or there is no limit.",
                        null=True,
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="activations",
                        to="chroniker.job",
                        verbose_name="job",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["ended_at", "target"], name="chroniker_activation_waiting"),
                    models.Index(fields=["target", "made_at"], name="chroniker_activation_of_job"),
                    models.Index(fields=["run"], name="chroniker_activation_run"),
                    models.Index(fields=["late_at"], name="chroniker_activation_late"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("trigger", "cause"), name="chroniker_activation_once"),
                    models.UniqueConstraint(fields=("target", "key"), name="chroniker_activation_key"),
                ],
            },
        ),
        migrations.CreateModel(
            name="JobTrigger",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "on",
                    models.CharField(
                        choices=[
                            ("SUCCEEDED", "it succeeded"),
                            ("FAILED", "it failed, timed out or was lost"),
                            ("ENDED", "it ended, with any result"),
                        ],
                        default="SUCCEEDED",
                        max_length=10,
                        verbose_name="when",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="starts",
                        to="chroniker.job",
                        verbose_name="when this job ends",
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="started_by",
                        to="chroniker.job",
                        verbose_name="starts",
                    ),
                ),
            ],
            options={
                "verbose_name": "trigger",
                "verbose_name_plural": "triggers",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("source", "target"), name="chroniker_trigger_once"),
                    models.CheckConstraint(
                        condition=models.Q(("source", models.F("target")), _negated=True),
                        name="chroniker_trigger_not_itself",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RunHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField(db_index=True, verbose_name="hour")),
                (
                    "late_hour",
                    models.DateTimeField(
                        db_index=True,
                        default=datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.UTC),
                        help_text="The hour, if a run in it started more than 30 s late; else 1970.",
                    ),
                ),
                ("succeeded", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("timed_out", models.PositiveIntegerField(default=0)),
                ("stopped", models.PositiveIntegerField(default=0)),
                ("lost", models.PositiveIntegerField(default=0)),
                ("skipped", models.PositiveIntegerField(default=0)),
                (
                    "seconds_sum",
                    models.FloatField(default=0.0, help_text="The durations of its runs that were started."),
                ),
                ("seconds_max", models.FloatField(default=0.0)),
                ("delay_0", models.PositiveIntegerField(default=0)),
                ("delay_1", models.PositiveIntegerField(default=0)),
                ("delay_2", models.PositiveIntegerField(default=0)),
                ("delay_3", models.PositiveIntegerField(default=0)),
                ("delay_4", models.PositiveIntegerField(default=0)),
                ("delay_5", models.PositiveIntegerField(default=0)),
                ("delay_6", models.PositiveIntegerField(default=0)),
                (
                    "job",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hours",
                        to="chroniker.job",
                    ),
                ),
            ],
            options={
                "verbose_name": "hourly count",
                "verbose_name_plural": "hourly counts",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("job", "hour"), name="chroniker_run_hour_once")],
            },
        ),
        migrations.CreateModel(
            name="Alarm",
            fields=[
                ("subject", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("episode", models.PositiveIntegerField(default=0)),
                ("raised_at", models.DateTimeField(db_index=True, null=True)),
                ("since", models.DateTimeField(null=True)),
                ("channels", models.JSONField(default=list)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RunTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("start", models.DateTimeField(unique=True)),
                ("succeeded", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("timed_out", models.PositiveIntegerField(default=0)),
                ("stopped", models.PositiveIntegerField(default=0)),
                ("lost", models.PositiveIntegerField(default=0)),
                ("skipped", models.PositiveIntegerField(default=0)),
                (
                    "seconds_sum",
                    models.FloatField(default=0.0, help_text="The durations of its runs that were started."),
                ),
                ("seconds_max", models.FloatField(default=0.0)),
                ("delay_0", models.PositiveIntegerField(default=0)),
                ("delay_1", models.PositiveIntegerField(default=0)),
                ("delay_2", models.PositiveIntegerField(default=0)),
                ("delay_3", models.PositiveIntegerField(default=0)),
                ("delay_4", models.PositiveIntegerField(default=0)),
                ("delay_5", models.PositiveIntegerField(default=0)),
                ("delay_6", models.PositiveIntegerField(default=0)),
            ],
            options={
                "verbose_name": "count of all runs",
                "verbose_name_plural": "counts of all runs",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RunCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "outcome",
                    models.CharField(help_text="The status at the end, in small letters.", max_length=10, unique=True),
                ),
                ("runs", models.BigIntegerField(default=0)),
                ("seconds", models.FloatField(default=0.0, help_text="The durations of those that were started.")),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="FleetWork",
            fields=[
                ("name", models.CharField(max_length=30, primary_key=True, serialize=False)),
                ("due_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="GuaranteeProgress",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateTimeField(help_text="Runs that were claimed after this time were tested.")),
                (
                    "until",
                    models.DateTimeField(help_text="Runs that are claimed after this time are still to be tested."),
                ),
                (
                    "open_runs",
                    models.JSONField(
                        default=list,
                        help_text="Tested runs that were open then. They are tested again, because their end counts.",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="GuaranteeHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "guarantee",
                    models.CharField(
                        choices=[
                            ("1", "One instance per job"),
                            ("2", "Every scheduled time has one record"),
                            ("3", "Every claim ends"),
                            ("9", "A group keeps its limit"),
                        ],
                        max_length=2,
                    ),
                ),
                ("hour", models.DateTimeField(db_index=True)),
                ("tests", models.PositiveIntegerField(default=0)),
                ("violations", models.PositiveIntegerField(default=0)),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("guarantee", "hour"), name="chroniker_guarantee_hour_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_index=True, verbose_name="time")),
                (
                    "actor",
                    models.CharField(
                        help_text="The name of the command or program.", max_length=150, verbose_name="by"
                    ),
                ),
                ("action", models.CharField(max_length=20, verbose_name="action")),
                ("args", models.JSONField(default=dict)),
                ("kind", models.CharField(help_text="The kind of object: job, group or switch.", max_length=10)),
                ("object_id", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit entries",
                "default_permissions": (),
                "indexes": [models.Index(fields=["kind", "object_id"], name="chroniker_audit_object")],
            },
        ),
        migrations.CreateModel(
            name="AlertMute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(db_index=True, verbose_name="until")),
                ("reason", models.CharField(blank=True, max_length=500, verbose_name="reason")),
                ("muted_by", models.CharField(blank=True, editable=False, max_length=150, verbose_name="muted by")),
                (
                    "group",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alert_mutes",
                        to="chroniker.group",
                        verbose_name="group",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alert_mutes",
                        to="chroniker.job",
                        verbose_name="job",
                    ),
                ),
            ],
            options={
                "verbose_name": "mute",
                "verbose_name_plural": "mutes",
                "ordering": ("-ends_at",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gte", models.F("starts_at"))),
                        name="chroniker_mute_ends_after_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("job__isnull", True), ("group__isnull", True), _connector="OR"),
                        name="chroniker_mute_job_or_group",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FailingChannel",
            fields=[
                ("channel", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("since", models.DateTimeField()),
                ("deferred_until", models.DateTimeField()),
                ("error", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Backfill",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=chroniker.models.base.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("first", models.DateTimeField(help_text="The first moment of the range.", verbose_name="from")),
                (
                    "last",
                    models.DateTimeField(help_text="The last moment of the range, included.", verbose_name="until"),
                ),
                (
                    "which",
                    models.CharField(
                        choices=[
                            ("NOT_SUCCEEDED", "those that did not succeed"),
                            ("NOT_RUN", "those that were not started"),
                            ("ALL", "all"),
                        ],
                        default="NOT_SUCCEEDED",
                        max_length=15,
                        verbose_name="scheduled times",
                    ),
                ),
                (
                    "include_unknown",
                    models.BooleanField(
                        default=False,
                        help_text="Run also for scheduled times of which no run is stored: deleted, or before the job existed.",
                        verbose_name="also without a record",
                    ),
                ),
                (
                    "on_failure",
                    models.CharField(
                        choices=[("GO_ON", "continue"), ("STOP", "end the backfill")],
                        default="GO_ON",
                        max_length=8,
                        verbose_name="after a failure",
                    ),
                ),
                (
                    "args",
                    models.TextField(
                        help_text="For its runs only. Empty: the job's own.", null=True, verbose_name="arguments"
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500, verbose_name="note")),
                ("spec", models.JSONField(help_text="The schedule when the backfill was made.")),
                (
                    "cursor",
                    models.DateTimeField(help_text="The last instant that was decided. Empty: none yet.", null=True),
                ),
                (
                    "attempt",
                    models.PositiveIntegerField(
                        default=0, help_text="Attempts for the instant at the cursor, if a retry is pending; else 0."
                    ),
                ),
                (
                    "chain",
                    models.BigIntegerField(
                        help_text="Token of the first attempt for the instant at the cursor.", null=True
                    ),
                ),
                ("asked_by", models.CharField(blank=True, max_length=150, verbose_name="requested by")),
                ("created_at", models.DateTimeField(verbose_name="requested at")),
                ("cancelled_at", models.DateTimeField(null=True, verbose_name="cancelled at")),
                ("cancelled_by", models.CharField(blank=True, max_length=150, verbose_name="cancelled by")),
                (
                    "finished_at",
                    models.DateTimeField(help_text="No run is claimed after this.", null=True, verbose_name="ended at"),
                ),
                (
                    "stopped_by_run",
                    models.BigIntegerField(help_text="Token of the run whose failure ended it.", null=True),
                ),
                (
                    "error",
                    models.TextField(
                        blank=True, help_text="Why its scheduled times cannot be computed.", verbose_name="error"
                    ),
                ),
                (
                    "planned",
                    models.PositiveIntegerField(
                        help_text="Runs that were expected when it was made.", verbose_name="planned"
                    ),
                ),
                (
                    "made",
                    models.PositiveIntegerField(
                        default=0, help_text="Instants that got a run.", verbose_name="started"
                    ),
                ),
                ("succeeded", models.PositiveIntegerField(default=0, verbose_name="succeeded")),
                (
                    "failed",
                    models.PositiveIntegerField(default=0, help_text="With all their retries.", verbose_name="failed"),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="backfills", to="chroniker.job"
                    ),
                ),
            ],
            options={
                "verbose_name": "backfill",
                "verbose_name_plural": "backfills",
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["finished_at", "job"], name="chroniker_backfill_open")],
            },
        ),
    ]

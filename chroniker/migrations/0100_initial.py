import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

import chroniker.models.base
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
            ],
            options={
                "verbose_name": "host",
                "verbose_name_plural": "hosts",
                "ordering": ("name",),
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
                        help_text="As on a command line: --verbosity 2 'two words' file.txt",
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
                            ("WAIT", "wait: start once when the run ends, for all of them"),
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
                        help_text="What check_monitor writes when records need attention. It may show {{ count }}, {{ records }}, {{ url }}, {{ description }}, {{ job.name }} and {{ stderr }}, its own text. Leave empty to use its own text.",
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
                        help_text="When the schedule or the switch was last changed. The next tick books the job again and clears this.",
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
            ],
            options={
                "verbose_name": "job",
                "verbose_name_plural": "jobs",
                "ordering": ("name",),
                "permissions": (("run_job", "Can run a job now"), ("stop_job", "Can stop a running job")),
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
                        choices=[("SCHEDULE", "schedule"), ("MANUAL", "by hand"), ("RETRY", "retry")],
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
                ("scheduled_for", models.DateTimeField(null=True, verbose_name="scheduled for")),
                ("covered_until", models.DateTimeField(null=True, verbose_name="covers instants until")),
                ("claimed_at", models.DateTimeField(db_index=True, verbose_name="claimed at")),
                ("dispatched_at", models.DateTimeField(null=True, verbose_name="dispatched at")),
                ("dispatch_count", models.PositiveIntegerField(default=0)),
                ("redispatch_at", models.DateTimeField(db_index=True, null=True)),
                ("started_at", models.DateTimeField(null=True, verbose_name="started at")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                ("stop_requested_at", models.DateTimeField(null=True, verbose_name="stop requested at")),
                ("stop_requested_by", models.CharField(blank=True, max_length=150, verbose_name="stop requested by")),
                ("nonce", models.UUIDField(editable=False, null=True)),
                ("host", models.CharField(blank=True, max_length=200, verbose_name="host")),
                ("pid", models.BigIntegerField(null=True, verbose_name="process")),
                ("exit_code", models.IntegerField(null=True, verbose_name="exit status")),
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
            ],
            options={
                "verbose_name": "run",
                "verbose_name_plural": "runs",
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
            ],
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="chroniker.run",
                    ),
                ),
            ],
            options={
                "verbose_name": "outgoing message",
                "verbose_name_plural": "outgoing messages",
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
                            ("ZOMBIE_REPORT", "report without the lease"),
                            ("STOP_REQUESTED", "stop requested"),
                            ("LATE_OUTCOME", "late outcome"),
                            ("LOST", "lost"),
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
                ("last_seen", models.DateTimeField(verbose_name="last seen")),
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
                    models.UniqueConstraint(fields=("host", "executor"), name="chroniker_host_service_once")
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
                (
                    "revision",
                    models.BigIntegerField(default=0, help_text="Incremented by every write of this row."),
                ),
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
                ("retry_at", models.DateTimeField(null=True, verbose_name="retry at")),
                (
                    "retry_attempt",
                    models.PositiveIntegerField(default=0, help_text="Attempts made in the current chain of retries."),
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
                    "schedule_error",
                    models.TextField(
                        blank=True,
                        help_text="Why the schedule cannot be computed. An edit of the job clears it.",
                        verbose_name="schedule error",
                    ),
                ),
            ],
            options={
                "verbose_name": "job state",
                "verbose_name_plural": "job states",
                "indexes": [
                    models.Index(fields=["next_run"], name="chroniker_state_next_run"),
                    models.Index(fields=["retry_at"], name="chroniker_state_retry_at"),
                    models.Index(fields=["booked_zone_rules"], name="chroniker_state_zone_rules"),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["force_run"], name="chroniker_job_force_run"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["force_stop"], name="chroniker_job_force_stop"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["edited_at"], name="chroniker_job_edited_at"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["is_monitor", "name"], name="chroniker_job_monitors"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["deletion_requested_at"], name="chroniker_job_deletion"),
        ),
        migrations.AddConstraint(
            model_name="jobdependency",
            constraint=models.UniqueConstraint(fields=("dependent", "dependee"), name="chroniker_dependency_once"),
        ),
        migrations.AddConstraint(
            model_name="jobdependency",
            constraint=models.CheckConstraint(
                condition=models.Q(("dependent", models.F("dependee")), _negated=True),
                name="chroniker_dependency_not_on_itself",
            ),
        ),
        migrations.AddField(
            model_name="lease",
            name="job",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="leases", to="chroniker.job"
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(fields=("job", "token"), name="chroniker_run_token"),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(fields=("job", "slot", "scheduled_for"), name="chroniker_run_instant"),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", True), ("status__in", ("CLAIMED", "RUNNING"))),
                    models.Q(
                        models.Q(("status__in", ("CLAIMED", "RUNNING")), _negated=True), ("finished_at__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="chroniker_run_open_means_unfinished",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "RUNNING"), _negated=True),
                    models.Q(("nonce__isnull", False), ("started_at__isnull", False)),
                    _connector="OR",
                ),
                name="chroniker_run_running_means_started",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("covered_until__isnull", True), ("scheduled_for__isnull", True)),
                    models.Q(("covered_until__gte", models.F("scheduled_for")), ("scheduled_for__isnull", False)),
                    _connector="OR",
                ),
                name="chroniker_run_covers_a_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        ["CLAIMED", "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "LOST", "SKIPPED"],
                    )
                ),
                name="chroniker_run_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="logchunk",
            constraint=models.UniqueConstraint(fields=("run", "stream", "seq"), name="chroniker_log_seq"),
        ),
        migrations.AddConstraint(
            model_name="outbox",
            constraint=models.UniqueConstraint(fields=("run", "channel"), name="chroniker_outbox_once"),
        ),
        migrations.AddIndex(
            model_name="runevent",
            index=models.Index(fields=["kind", "at"], name="chroniker_event_kind_at"),
        ),
        migrations.AddConstraint(
            model_name="lease",
            constraint=models.UniqueConstraint(fields=("job", "slot"), name="chroniker_lease_one_instance"),
        ),
    ]

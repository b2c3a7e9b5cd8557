import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

import chroniker.models.base
import chroniker.models.job
import chroniker.reasons

ANCESTOR_TABLES = ("chroniker_job", "chroniker_job_subscribers", "chroniker_log", "chroniker_jobdependency")


def set_ancestor_aside(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give way to django-chroniker's tables, which have the same app label: rename them, change nothing in them."""
    tables = set(schema_editor.connection.introspection.table_names())
    for old in ANCESTOR_TABLES:
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
        migrations.RunPython(set_ancestor_aside, migrations.RunPython.noop, atomic=False),
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
                        help_text="At most so many jobs of the group are claimed or running at once. Empty: no limit.",
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
                        help_text="Nothing starts and nothing expires on it before.",
                        null=True,
                        verbose_name="quiet until",
                    ),
                ),
                ("suspended_because", models.TextField(blank=True, verbose_name="why it is quiet")),
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
                        help_text="Variables for the command, one a line: NAME=value",
                        verbose_name="environment",
                    ),
                ),
                (
                    "secrets",
                    models.TextField(
                        blank=True,
                        help_text="Variables whose values are kept elsewhere, one a line: NAME=setting:PAYMENT_KEY or NAME=env:PAYMENT_KEY",
                        verbose_name="secrets",
                    ),
                ),
                (
                    "working_directory",
                    models.CharField(
                        blank=True,
                        help_text="Empty: that of the worker.",
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
                        help_text="Where the code that declares this job is; empty: people manage it.",
                        max_length=255,
                        verbose_name="declared in",
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        blank=True,
                        editable=False,
                        help_text="What the importer knows it by, so that a second import leaves it alone.",
                        max_length=255,
                        verbose_name="imported from",
                    ),
                ),
                (
                    "enabled_when_removed",
                    models.BooleanField(
                        editable=False,
                        help_text="Whether it was enabled when its declaration was removed; empty: it is declared, or never was.",
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
                            ("MINUTELY", "every so many minutes"),
                            ("SECONDLY", "every so many seconds"),
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
                        help_text="For yearly to secondly: interval:15;byhour:7,8,9",
                        verbose_name="rule parameters",
                    ),
                ),
                ("run_at", models.DateTimeField(blank=True, null=True, verbose_name="run at")),
                ("starts_at", models.DateTimeField(blank=True, null=True, verbose_name="starts at")),
                ("ends_at", models.DateTimeField(blank=True, null=True, verbose_name="ends at")),
                (
                    "timezone",
                    models.CharField(
                        default=chroniker.models.job.project_timezone, max_length=64, verbose_name="time zone"
                    ),
                ),
                (
                    "dst_gap",
                    models.CharField(
                        choices=[("RUN", "run at the first moment after it"), ("SKIP", "do not run")],
                        default="RUN",
                        max_length=6,
                        verbose_name="in the hour that is left out",
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
                        verbose_name="in the hour that comes twice",
                    ),
                ),
                (
                    "jitter_seconds",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Spreads jobs of one instant: this job always starts the same part of this span later.",
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
                        help_text="An instant missed by more than this is recorded as skipped. Empty: however late, run once.",
                        null=True,
                        verbose_name="misfire grace, seconds",
                    ),
                ),
                (
                    "start_deadline_seconds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="A claimed run that no worker takes within this time is lost. Empty: the project's setting.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="start deadline, seconds",
                    ),
                ),
                (
                    "timeout_seconds",
                    models.PositiveIntegerField(
                        blank=True, help_text="Empty or 0: none.", null=True, verbose_name="timeout, seconds"
                    ),
                ),
                ("max_retries", models.PositiveSmallIntegerField(default=0, verbose_name="retries after a failure")),
                (
                    "retry_backoff_seconds",
                    models.PositiveIntegerField(
                        default=60,
                        help_text="Before the first retry; doubled for each further one.",
                        verbose_name="retry back-off, seconds",
                    ),
                ),
                (
                    "retry_on_lost",
                    models.BooleanField(
                        default=False,
                        help_text="A lost run may have done its work; it may be done twice.",
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
                        help_text="A name: on that host only. *: on every live host at once. Empty: whoever is first.",
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
                        help_text="Of a run's output beyond this, the beginning and the end are kept. Empty: all.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1024)],
                        verbose_name="output kept, bytes",
                    ),
                ),
                (
                    "maximum_log_entries",
                    models.PositiveIntegerField(
                        default=1000,
                        help_text="Older closed runs of this job are deleted. 0: keep all.",
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
                        help_text="It is listed under Monitors too, with what its latest run found.",
                        verbose_name="is a monitor",
                    ),
                ),
                (
                    "monitor_url",
                    models.CharField(
                        blank=True,
                        help_text='Where to look; a template: /admin/shop/order/?created__lt={% now_offset "Y-m-d" -7 %}',
                        max_length=255,
                        verbose_name="monitor URL",
                    ),
                ),
                (
                    "monitor_error_template",
                    models.TextField(
                        blank=True,
                        help_text="What check_monitor writes when records need attention. It may show {{ count }}, {{ records }}, {{ url }}, {{ description }}, {{ job.name }} and {{ stderr }}, its own text. Empty: its own text.",
                        verbose_name="monitor error template",
                    ),
                ),
                (
                    "monitor_description",
                    models.TextField(
                        blank=True, help_text="What it is about, and what to do.", verbose_name="monitor description"
                    ),
                ),
                (
                    "force_run",
                    models.BooleanField(
                        default=False,
                        help_text="Run at the next tick; the schedule stays where it is.",
                        verbose_name="force run",
                    ),
                ),
                (
                    "force_stop",
                    models.BooleanField(
                        default=False, help_text="Stop the open run at the next tick.", verbose_name="force stop"
                    ),
                ),
                (
                    "edited_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now,
                        editable=False,
                        help_text="Schedule or switch changed at this moment: the next tick books the job anew.",
                        null=True,
                    ),
                ),
                (
                    "deletion_asked_at",
                    models.DateTimeField(
                        editable=False,
                        help_text="Somebody deleted the job while a run of it was open: it goes when that has ended.",
                        null=True,
                    ),
                ),
                (
                    "calendar",
                    models.ForeignKey(
                        blank=True,
                        help_text="Instants in one of its blackouts are skipped.",
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
                        help_text="The run's number within its job; it only grows.", verbose_name="token"
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
                        help_text="For this once, in place of the job's own; none: the job's own.",
                        null=True,
                        verbose_name="arguments",
                    ),
                ),
                (
                    "required_host",
                    models.CharField(
                        blank=True,
                        help_text="The one host that may start it; empty: any.",
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
                ("stop_requested_at", models.DateTimeField(null=True, verbose_name="stop asked at")),
                ("stop_requested_by", models.CharField(blank=True, max_length=150, verbose_name="stop asked by")),
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
                    models.TextField(blank=True, help_text="Where there is no code: free text.", verbose_name="reason"),
                ),
                (
                    "attention_count",
                    models.PositiveIntegerField(
                        help_text="How many records do, as its command said; empty: it did not say.",
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
                        help_text="Each of its instants up to the dependent's own is accounted for.",
                        verbose_name="until its turn is over",
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
                            ("STOP_ASKED", "stop asked"),
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
                        blank=True, help_text="Like the above, and kept while the job is disabled.", max_length=64
                    ),
                ),
                (
                    "fingerprint_since",
                    models.DateTimeField(
                        help_text="All instants after this moment were given by the schedule of that fingerprint.",
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
                        help_text="The first instant not yet accounted for; empty: there is none.", null=True
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
                        help_text="Why the job was set aside; an edit of the job clears it.",
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
            index=models.Index(fields=["deletion_asked_at"], name="chroniker_job_deletion"),
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

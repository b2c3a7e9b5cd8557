"""One attempt to execute a job."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from chroniker import reasons
from chroniker.models.base import WriteDatabaseManager, uuid7
from chroniker.models.job import Job
from chroniker.models.run_status import OPEN_STATUSES, Status, Trigger


class Run(models.Model):
    """Opened by the schedule, on request, by a backfill, or as a retry. Written by claim, dispatch, start and close.

    ``id`` is also the id of the Celery task. Runs of a job are ordered by ``token``, never by ``id``.

    ``scheduled_for`` to ``covered_until`` are the instants that the run covers: these ranges account for every instant
    once. ``instant`` to ``instant_until`` are the instants that the run is for: a retry is for those of its chain's
    first attempt, a run by hand for the moment of its request. Imported runs have neither chain nor instant.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(Job, models.CASCADE, related_name="runs", db_index=False)
    token = models.BigIntegerField(_("token"), help_text=_("The number of the run within its job. It only grows."))
    slot = models.CharField(_("slot"), max_length=100, blank=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")
    status = models.CharField(_("status"), max_length=10, choices=Status)
    trigger = models.CharField(_("trigger"), max_length=10, choices=Trigger)
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    args = models.TextField(
        _("arguments"), null=True, help_text=_("Arguments for this run only. Empty: the job's own.")
    )
    required_host = models.CharField(
        _("for host"), max_length=200, blank=True, help_text=_("The only host that may start the run. Empty: any host.")
    )
    chain = models.BigIntegerField(
        null=True, help_text=_("Token of the first attempt of its chain of retries. Empty: skipped or imported.")
    )
    origin = models.CharField(
        max_length=10, choices=Trigger, blank=True, help_text=_("Trigger of the first attempt of its chain.")
    )
    cause = models.UUIDField(null=True, help_text=_("The run that triggered it. Empty: no run did."))
    depth = models.PositiveSmallIntegerField(default=0, help_text=_("Triggers in a row that led to it."))
    backfill = models.UUIDField(
        null=True, help_text=_("The backfill that it is part of. Empty: none, or a child of such a run.")
    )
    asked_by = models.CharField(
        _("requested by"), max_length=150, blank=True, help_text=_("Who requested this run. Empty: nobody did.")
    )
    scheduled_for = models.DateTimeField(_("scheduled for"), null=True)
    covered_until = models.DateTimeField(_("covers instants until"), null=True)
    instant = models.DateTimeField(null=True, help_text=_("The first instant that it is for. Empty: imported."))
    instant_until = models.DateTimeField(null=True, help_text=_("The last instant that it is for. Empty: imported."))
    interval_start = models.DateTimeField(
        null=True, help_text=_("The last instant of its schedule before ``instant``. Empty: none is known.")
    )
    claimed_at = models.DateTimeField(_("claimed at"), db_index=True)
    dispatched_at = models.DateTimeField(_("dispatched at"), null=True)
    dispatch_count = models.PositiveIntegerField(default=0)
    redispatch_at = models.DateTimeField(null=True, db_index=True)
    taken_at = models.DateTimeField(
        _("taken at"),
        null=True,
        help_text=_("When a worker received it. Empty: none did yet, or it ended before it was started."),
    )
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    stop_requested_at = models.DateTimeField(_("stop requested at"), null=True)
    stop_requested_by = models.CharField(_("stop requested by"), max_length=150, blank=True)
    nonce = models.UUIDField(null=True, editable=False)
    host = models.CharField(_("host"), max_length=200, blank=True)
    executor = models.CharField(
        _("executor"), max_length=50, blank=True, help_text=_("The job's executor at the claim. Empty: imported.")
    )
    queue = models.CharField(
        _("queue"), max_length=200, blank=True, help_text=_("The queue of its message. Empty: its executor has none.")
    )
    worker = models.CharField(
        _("worker"), max_length=200, blank=True, help_text=_("The worker that started it. Empty: not started.")
    )
    pid = models.BigIntegerField(_("process"), null=True)
    argv = models.JSONField(
        _("command line"),
        null=True,
        help_text=_("The words of the command as it was started. Empty: not started, or too long to store."),
    )
    release = models.CharField(
        _("release"), max_length=100, blank=True, help_text=_("CHRONIKER_RELEASE of the process that started it.")
    )
    exit_code = models.IntegerField(_("exit status"), null=True)
    error_line = models.CharField(
        _("error"),
        max_length=300,
        blank=True,
        help_text=_("The last line on standard error of a run that did not succeed. Empty: there was none."),
    )
    cpu_seconds = models.FloatField(
        _("CPU seconds"), null=True, help_text=_("Of the command and its ended children. Empty: not measured.")
    )
    max_rss_kb = models.BigIntegerField(
        _("peak memory, kB"), null=True, help_text=_("Of its largest process. Empty: not measured.")
    )
    code = models.CharField(_("reason"), max_length=20, blank=True, choices=reasons.choices)
    reason_args = models.JSONField(default=dict, blank=True)
    reason_text = models.TextField(_("reason"), blank=True, help_text=_("Free text, where there is no code."))
    attention_count = models.PositiveIntegerField(
        _("need attention"),
        null=True,
        help_text=_("How many records need attention, as the command reported. Empty: it reported no count."),
    )
    uncounted_since = models.DateTimeField(
        null=True,
        db_index=True,
        help_text=_(
            "When it was closed, until it is counted in its RunHour. Empty: open, counted, or not to be counted."
        ),
    )
    total_parts = models.BigIntegerField(_("parts"), null=True)
    total_parts_complete = models.BigIntegerField(_("parts done"), null=True)

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        indexes = (
            models.Index(fields=["status", "claimed_at"], name="chroniker_run_status"),
            models.Index(fields=["trigger", "claimed_at"], name="chroniker_run_trigger"),
            models.Index(fields=["host", "claimed_at"], name="chroniker_run_host"),
        )
        constraints = (
            models.UniqueConstraint(fields=["job", "token"], name="chroniker_run_token"),
            models.UniqueConstraint(fields=["job", "slot", "scheduled_for"], name="chroniker_run_instant"),
            # Also the index for the runs that are for an instant. A backfill has one job.
            models.UniqueConstraint(fields=["job", "instant", "backfill", "attempt"], name="chroniker_run_backfill"),
            models.CheckConstraint(
                condition=Q(status__in=OPEN_STATUSES, finished_at__isnull=True)
                | (~Q(status__in=OPEN_STATUSES) & Q(finished_at__isnull=False)),
                name="chroniker_run_open_means_unfinished",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.RUNNING) | Q(started_at__isnull=False, nonce__isnull=False),
                name="chroniker_run_running_means_started",
            ),
            models.CheckConstraint(
                condition=Q(scheduled_for__isnull=True, covered_until__isnull=True)
                | Q(scheduled_for__isnull=False, covered_until__gte=models.F("scheduled_for")),
                name="chroniker_run_covers_a_range",
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="chroniker_run_status_known"),
        )

    @property
    def reason(self) -> str:
        """The reason why it waits, was skipped or ended, in the active language."""
        return reasons.render(self.code, self.reason_parameters, self.reason_text)

    @property
    def reason_without_output(self) -> str:
        """``reason`` without the last line on stderr, for places that show ``error_line`` or no output."""
        return reasons.render(self.code, self.reason_parameters, self.reason_text, without=[reasons.Code.LAST_LINE])

    @property
    def stop_requester(self) -> str:
        """Who or what requested its stop, in the active language; empty if no stop was requested."""
        return str(reasons.Reason.from_text(self.stop_requested_by))

    @property
    def reason_parameters(self) -> dict[str, Any]:
        """The parameters of ``reason``: ``reason_args``, and those that the run has in columns."""
        return {"required_host": self.required_host, "host": self.host, **self.reason_args}

    @property
    def is_missed(self) -> bool:
        """Whether it records instants that should have run but did not (skipped without a decision to skip)."""
        return self.status == Status.SKIPPED and self.code in reasons.MISSED_RUN_CODES

    def __str__(self) -> str:
        return f"run {self.token} of job {self.job_id}"

"""The state of a job, which the scheduler writes."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import WriteDatabaseManager
from chroniker.models.indexes import SparseIndex
from chroniker.models.job import Job
from chroniker.models.run_status import Status, Trigger


class JobStateQuerySet(models.QuerySet["JobState"]):
    def update(self, **fields: Any) -> int:
        """As in Django, and increments the revision."""
        fields.setdefault("revision", models.F("revision") + 1)
        return super().update(**fields)


class JobState(models.Model):
    """One row per job, written only by ``chroniker.lifecycle``.

    Every write increments ``revision``: a claim that was computed from another revision is not written. The row is
    locked before a run of the job is claimed or closed. Lock order: Group, JobState, Job, Run, Lease,
    Activation, each by id.
    """

    job = models.OneToOneField(Job, models.CASCADE, primary_key=True, related_name="state")
    revision = models.BigIntegerField(default=0, help_text=_("Incremented by every write of this row."))
    booked_fingerprint = models.CharField(
        max_length=64, blank=True, help_text=_("Fingerprint of the schedule that the next instant was computed from.")
    )
    booked_zone_rules = models.CharField(
        max_length=16, blank=True, help_text=_("Version of the time zone database that the next instant is based on.")
    )
    last_fingerprint = models.CharField(
        max_length=64,
        blank=True,
        help_text=_("The fingerprint of the last schedule. It is kept while the job is disabled."),
    )
    fingerprint_since = models.DateTimeField(
        null=True, help_text=_("All instants after this moment belong to the schedule of that fingerprint.")
    )
    covered_until = models.DateTimeField(
        null=True, help_text=_("Every instant up to and including this one has a run. Only moves forward.")
    )
    next_instant = models.DateTimeField(
        null=True, help_text=_("The first instant that is not accounted for. Empty: there is none.")
    )
    next_run = models.DateTimeField(
        _("next run"), null=True, help_text=_("When a tick may start it: the next instant plus the job's jitter.")
    )
    last_token = models.BigIntegerField(default=0)
    raised_from = models.BigIntegerField(
        null=True, help_text=_("The last token before tokens were raised, when a copy of the database was adopted.")
    )
    raised_to = models.BigIntegerField(null=True, help_text=_("The last token after that. No run has one between."))
    retry_at = models.DateTimeField(_("retry at"), null=True)
    retry_attempt = models.PositiveIntegerField(
        default=0, help_text=_("Attempts made in the chain of the pending retry, or of the last one.")
    )
    retry_of = models.BigIntegerField(null=True, help_text=_("The chain of the pending retry. Empty: none is pending."))
    retry_origin = models.CharField(
        max_length=10, blank=True, choices=Trigger, help_text=_("The trigger of the first attempt of that chain.")
    )
    retry_status = models.CharField(
        max_length=10, blank=True, choices=Status, help_text=_("How the latest attempt of that chain ended.")
    )
    backfill_at = models.DateTimeField(
        null=True, help_text=_("When a tick may claim the next run of its backfill. Empty: none, or its run is open.")
    )
    held_at = models.DateTimeField(
        _("held since"), null=True, help_text=_("Its scheduled times wait since then: see hold_on_failure. Empty: no.")
    )
    held_by_run = models.BigIntegerField(null=True, help_text=_("Token of the run whose failure holds the job."))
    last_status = models.CharField(
        _("last result"), max_length=10, choices=Status, blank=True, help_text=_("How the latest attempt ended.")
    )
    last_finished_at = models.DateTimeField(_("last finished"), null=True)
    last_seconds = models.FloatField(
        null=True, help_text=_("How long the latest attempt ran. Empty: it was not started.")
    )
    last_instant = models.DateTimeField(
        null=True, help_text=_("The last instant that a claim has covered or skipped. Empty: none yet.")
    )
    failures = models.PositiveIntegerField(
        _("failures"),
        default=0,
        help_text=_("Chains of attempts in a row that ended badly: failed, timed out or lost."),
    )
    failing_since = models.DateTimeField(
        _("failing since"), null=True, help_text=_("The end of the first of these chains. Empty: it is not failing.")
    )
    last_success_at = models.DateTimeField(
        _("last success"), null=True, help_text=_("The end of the last successful run. Empty: none.")
    )
    last_success_until = models.DateTimeField(
        null=True, help_text=_("The last instant of the schedule that a successful run was for. Empty: none.")
    )
    n_succeeded = models.BigIntegerField(default=0)
    n_failed = models.BigIntegerField(default=0)
    n_timed_out = models.BigIntegerField(default=0)
    n_stopped = models.BigIntegerField(default=0)
    n_lost = models.BigIntegerField(default=0)
    bad_permille = models.PositiveSmallIntegerField(
        null=True, help_text=_("The share of runs that failed, timed out or were lost, in thousandths. Empty: no end.")
    )
    n_skipped = models.BigIntegerField(default=0, help_text=_("Skipped ranges of instants."))
    seconds_total = models.FloatField(default=0.0, help_text=_("The durations of all its started and closed runs."))
    recent_seconds = models.JSONField(
        default=list, help_text=_("The durations of the last 50 successful runs, the newest last.")
    )
    p50 = models.FloatField(null=True, help_text=_("The median of these durations. Empty: no success yet."))
    p95 = models.FloatField(
        null=True, help_text=_("95 of 100 of these durations are not longer. Empty: no success yet.")
    )
    schedule_error = models.TextField(
        _("schedule error"),
        blank=True,
        help_text=_("Why the schedule cannot be computed. An edit of the job clears it."),
    )
    schedule_error_since = models.DateTimeField(
        null=True, help_text=_("When the schedule error was found. Empty: there is none.")
    )

    # -- alerts ----------------------------------------------------------------------------------------------
    alert_at = models.DateTimeField(
        null=True, help_text=_("The earliest time at which an alert may have to be raised. Empty: time raises none.")
    )
    alerts_open = models.PositiveSmallIntegerField(
        default=0, help_text=_("The kinds of its open alerts, a bit each. 0: none is open.")
    )
    done_until = models.DateTimeField(
        null=True, help_text=_("The last instant that a successful run was for, whatever triggered it. Empty: none.")
    )
    expected_since = models.DateTimeField(
        null=True, help_text=_("Earlier instants are not expected to be done: the job was edited, enabled or adopted.")
    )
    resumed_at = models.DateTimeField(
        null=True, help_text=_("The end of its last hold: lateness counts from here at the earliest.")
    )

    objects = WriteDatabaseManager.from_queryset(JobStateQuerySet)()

    #: The chain whose pending retry was cancelled since the row was read, and its result: see ``job_health``.
    cancelled_chain: tuple[int, str] | None = None

    class Meta:
        verbose_name = _("job state")
        verbose_name_plural = _("job states")
        indexes = (
            models.Index(fields=["next_run", "job"], name="chroniker_state_next_run"),
            SparseIndex(fields=["retry_at"], name="chroniker_state_retry_at"),
            SparseIndex(fields=["backfill_at"], name="chroniker_state_backfill"),
            SparseIndex(fields=["held_at"], name="chroniker_state_held"),
            SparseIndex(fields=["failing_since"], name="chroniker_state_failing"),
            SparseIndex(fields=["schedule_error_since"], name="chroniker_state_error"),
            # For the orders of the list of jobs, and for the jobs that never ran.
            models.Index(fields=["last_status"], name="chroniker_state_result"),
            models.Index(fields=["last_finished_at", "job"], name="chroniker_state_finished"),
            models.Index(fields=["p50", "job"], name="chroniker_state_usual"),
            models.Index(fields=["bad_permille", "job"], name="chroniker_state_bad"),
            models.Index(fields=["alert_at"], name="chroniker_state_alert_at"),
            models.Index(fields=["booked_zone_rules"], name="chroniker_state_zone_rules"),
        )

    def __str__(self) -> str:
        return f"state of job {self.job_id}"

"""Triggers: a job starts another one; and their activations, which are the requests that result from them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker import reasons
from chroniker.models.base import WriteDatabaseManager, uuid7
from chroniker.models.job import Job


class TriggerOn(models.TextChoices):
    """The result of a chain of attempts that a trigger waits for."""

    SUCCEEDED = "SUCCEEDED", _("it succeeded")
    FAILED = "FAILED", _("it failed, timed out or was lost")
    ENDED = "ENDED", _("it ended, with any result")


class JobTrigger(models.Model):
    """When a run of ``source`` has ended with the result ``on``, ``target`` starts.

    A failed run that will be retried has not ended yet.
    """

    source = models.ForeignKey(Job, models.CASCADE, related_name="starts", verbose_name=_("when this job ends"))
    target = models.ForeignKey(Job, models.CASCADE, related_name="started_by", verbose_name=_("starts"))
    on = models.CharField(_("when"), max_length=10, choices=TriggerOn, default=TriggerOn.SUCCEEDED)

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("trigger")
        verbose_name_plural = _("triggers")
        default_permissions = ()  # the permission to change jobs is enough
        constraints = (
            models.UniqueConstraint(fields=["source", "target"], name="chroniker_trigger_once"),
            models.CheckConstraint(condition=~models.Q(source=models.F("target")), name="chroniker_trigger_not_itself"),
        )

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


class Activation(models.Model):
    """A request for one run of ``target``: by a trigger, or by a program. Each is accounted for once.

    It waits until a claim of ``target`` takes it, or it ends without a run. Rows are inserted without a lock, and ended
    under the lock of the target's JobState, whose revision each end increments. The database has no foreign key for it:
    on MariaDB an insert would wait for an edit of the target.
    """

    class Outcome(models.TextChoices):
        RUN = "RUN", _("Got a run")
        PASSED = "PASSED", _("Passed over")
        REFUSED = "REFUSED", _("Refused")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    target = models.ForeignKey(
        Job, models.CASCADE, related_name="activations", db_constraint=False, db_index=False, verbose_name=_("job")
    )
    trigger = models.BigIntegerField(null=True, help_text=_("The id of the trigger. Empty: a program requested it."))
    cause = models.UUIDField(null=True, help_text=_("The last run of the chain that ended. Empty: no run did."))
    cause_job = models.CharField(max_length=200, blank=True, help_text=_("The name of that run's job, at that time."))
    key = models.CharField(max_length=200, null=True, help_text=_("A second request with this key changes nothing."))
    instant = models.DateTimeField(help_text=_("The scheduled time that its run is for."))
    args = models.JSONField(null=True, help_text=_("The words in place of the job's arguments. Empty: the job's own."))
    depth = models.PositiveSmallIntegerField(default=1, help_text=_("Triggers in a row that led to it."))
    made_at = models.DateTimeField()
    asked_by = models.CharField(max_length=150, blank=True, help_text=_("Who requested it. Empty: a trigger did."))
    ended_at = models.DateTimeField(null=True, help_text=_("Empty: it waits."))
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True, help_text=_("Empty: it waits."))
    code = models.CharField(max_length=20, choices=reasons.choices, blank=True, help_text=_("Why it got no run."))
    run = models.UUIDField(null=True, help_text=_("The run that was claimed for it."))
    late_at = models.DateTimeField(
        null=True,
        help_text=_("When a tick checks whether its job is late. Empty: it has checked, or there is no limit."),
    )

    objects = WriteDatabaseManager()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["ended_at", "target"], name="chroniker_activation_waiting"),
            models.Index(fields=["target", "made_at"], name="chroniker_activation_of_job"),
            models.Index(fields=["run"], name="chroniker_activation_run"),
            models.Index(fields=["late_at"], name="chroniker_activation_late"),
        )
        constraints = (
            models.UniqueConstraint(fields=["trigger", "cause"], name="chroniker_activation_once"),
            models.UniqueConstraint(fields=["target", "key"], name="chroniker_activation_key"),
        )

    @property
    def reason(self) -> str:
        """Why it got no run, in the active language."""
        return reasons.render(self.code, {})

    def __str__(self) -> str:
        return f"activation of job {self.target_id}"

"""The output and the events of a run."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker import reasons
from chroniker.models.base import WriteDatabaseManager
from chroniker.models.run import Run


class Stream(models.IntegerChoices):
    REMARK = 0, _("remark")
    STDOUT = 1, _("standard output")
    STDERR = 2, _("standard error")


class LogChunk(models.Model):
    """A piece of a run's output. ``seq`` counts from 0 in each stream: a gap is visible, a repeat is refused."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="chunks", db_index=False)
    stream = models.SmallIntegerField(choices=Stream)
    seq = models.IntegerField()
    first_line = models.BigIntegerField(
        null=True,
        help_text=_(
            "The number, in its stream, of the line that the text begins in; lines count from 1. Empty: unknown."
        ),
    )
    text = models.TextField()
    written_at = models.DateTimeField()

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("output")
        verbose_name_plural = _("output")
        constraints = (models.UniqueConstraint(fields=["run", "stream", "seq"], name="chroniker_log_seq"),)

    def __str__(self) -> str:
        return f"output {self.stream}.{self.seq} of run {self.run_id}"


class EventKind(models.TextChoices):
    REFUSED_DELIVERY = "REFUSED_DELIVERY", _("delivery refused")
    LATE_REPORT = "LATE_REPORT", _("report without the lease")
    STOP_REQUESTED = "STOP_REQUESTED", _("stop requested")
    LATE_OUTCOME = "LATE_OUTCOME", _("late outcome")
    LOST = "LOST", _("lost")
    OVERLAP = "OVERLAP", _("overlap")
    NOTE = "NOTE", _("note")


class RunEvent(models.Model):
    """An event of a run. Any process may add one, with or without the lease. Never changed."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=20, choices=EventKind)
    code = models.CharField(max_length=20, blank=True, choices=reasons.choices)
    args = models.JSONField(default=dict, blank=True)
    text = models.TextField(blank=True)

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("pk",)
        indexes = (models.Index(fields=["kind", "at"], name="chroniker_event_kind_at"),)

    @property
    def description(self) -> str:
        """The description of the event in the active language."""
        return reasons.render(self.code, self.args, self.text)

    def __str__(self) -> str:
        return f"{self.kind} on run {self.run_id}"

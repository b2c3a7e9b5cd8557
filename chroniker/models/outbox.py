"""Outgoing messages about runs and alarms: written in the transaction of the change, sent after it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import DecidingManager
from chroniker.models.run import Run


class Outbox(models.Model):
    """One message for one channel about one run, or about an alarm; sent at least once.

    ``send_at``: the time of the next attempt; while a sender works on it, the end of its reservation. Empty: no further
    attempt, because the message was sent (``sent_at``) or given up (``error``).
    """

    run = models.ForeignKey(  #: empty: about an alarm, whose text is in ``payload``
        Run, models.CASCADE, null=True, related_name="messages", db_index=False
    )
    channel = models.CharField(_("channel"), max_length=100)
    payload = models.JSONField(default=dict)
    send_at = models.DateTimeField(_("next attempt"), null=True, db_index=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, db_index=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)

    objects = DecidingManager()

    class Meta:
        verbose_name = _("outgoing message")
        verbose_name_plural = _("outgoing messages")
        constraints = (models.UniqueConstraint(fields=["run", "channel"], name="chroniker_outbox_once"),)

    def __str__(self) -> str:
        return f"{self.channel} about run {self.run_id}" if self.run_id else f"{self.channel} about an alarm"

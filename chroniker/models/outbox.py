"""Outgoing messages about runs and alarms: written in the transaction of the change, sent after it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from chroniker.models.alert import Alert
from chroniker.models.base import WriteDatabaseManager, uuid7
from chroniker.models.message_events import ALERT_DIGEST_EVENT, ALERT_RECOVERED_EVENT
from chroniker.models.run import Run


class Outbox(models.Model):
    """One message for one channel about one run, an alert or an alarm; sent at least once.

    ``send_at``: the time of the next attempt; while a sender works on it, the end of its reservation. Empty: no further
    attempt, because the message was sent (``sent_at``) or given up (``error``).
    """

    run = models.ForeignKey(  #: empty: about an alarm, whose text is in ``payload``
        Run, models.CASCADE, null=True, related_name="messages", db_index=False
    )
    alert = models.ForeignKey(Alert, models.CASCADE, null=True, related_name="messages", db_index=False)
    channel = models.CharField(_("channel"), max_length=100)
    event = models.CharField(_("event"), max_length=30, blank=True)
    sequence = models.PositiveIntegerField(default=0)  #: counts repeats about the same event
    message_id = models.UUIDField(default=uuid7, editable=False)  #: the same in each attempt, so that receivers see it
    digest = models.UUIDField(null=True, editable=False)  #: ``message_id`` of the message that contains this one
    is_urgent = models.BooleanField(default=False)  #: sent before others: alerts and alarms
    payload = models.JSONField(default=dict)
    send_at = models.DateTimeField(_("next attempt"), null=True, db_index=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, db_index=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("outgoing message")
        verbose_name_plural = _("outgoing messages")
        constraints = (
            models.UniqueConstraint(fields=["run", "channel", "event", "sequence"], name="chroniker_outbox_once"),
            models.UniqueConstraint(fields=["alert", "channel", "event", "sequence"], name="chroniker_outbox_alert"),
        )
        indexes = (models.Index(fields=["is_urgent", "send_at"], name="chroniker_outbox_urgent"),)

    @property
    def body(self) -> dict[str, Any]:
        """What the message says. A webhook's payload has it beside the address, a mail's is nothing else."""
        return dict(self.payload.get("body") or self.payload)

    def __str__(self) -> str:
        """For titles: “Message about run 12 of “nightly import””. The recipient is not part of it."""
        if self.run is not None:
            return gettext("Message about run %(token)d of “%(job)s”") % {
                "token": self.run.token,
                "job": self.run.job.name,
            }
        if self.alert is not None:
            text = gettext("Message about an alert: %(headline)s")
            if self.event == ALERT_RECOVERED_EVENT:
                text = gettext("Message about the end of an alert: %(headline)s")
            return text % {"headline": self.alert.headline}
        data = self.body.get("data", self.body)  # a mail has the texts alone
        if self.event == ALERT_DIGEST_EVENT:
            n = int(data.get("count", 0))
            return ngettext("Message about %(n)d alert", "Message about %(n)d alerts", n) % {"n": n}
        title = str(data.get("title", ""))
        return (
            gettext("Message about the scheduler: %(title)s") % {"title": title}
            if title
            else gettext("Message about the scheduler")
        )

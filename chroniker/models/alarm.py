"""Alarms about the scheduler itself: nothing ticks, or runs wait in a queue that no worker consumes."""

from __future__ import annotations

from django.db import models

from chroniker.models.base import WriteDatabaseManager


class Alarm(models.Model):
    """One problem of the whole fleet. The process that sets or clears ``raised_at`` writes the messages about it.

    It does both by conditional UPDATEs. So one process of many writes the messages, once for each episode.
    """

    subject = models.CharField(primary_key=True, max_length=200)  #: "tick", or "queue:EXECUTOR:QUEUE"
    episode = models.PositiveIntegerField(default=0)
    raised_at = models.DateTimeField(null=True, db_index=True)
    since = models.DateTimeField(null=True)  #: when the problem began
    channels = models.JSONField(default=list)  #: channels and addresses of the messages of this episode
    ended_at = models.DateTimeField(null=True)

    objects = WriteDatabaseManager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.subject

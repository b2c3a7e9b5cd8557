"""Hosts: machines that tick or execute runs."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import WriteDatabaseManager

#: In place of a host's name: every live host. No host can have this name.
EVERY_HOST = "*"


class Host(models.Model):
    name = models.CharField(_("name"), max_length=200, unique=True)
    last_seen = models.DateTimeField(_("last seen"))
    clock_skew_seconds = models.FloatField(
        _("clock skew, seconds"), null=True, help_text=_("The host's clock minus the database's, when last seen.")
    )
    suspended_until = models.DateTimeField(
        _("suspended until"), null=True, help_text=_("Until then no run starts and no lease expires on this host.")
    )
    suspended_because = models.TextField(_("suspended because"), blank=True)
    draining_since = models.DateTimeField(
        _("draining since"), null=True, help_text=_("Since then this host claims and starts nothing. Empty: it does.")
    )
    draining_by = models.CharField(_("drained by"), max_length=150, blank=True)
    draining_workers = models.JSONField(default=list, blank=True)  #: executor, worker, and the queues to consume again

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("host")
        verbose_name_plural = _("hosts")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


#: In place of the queues of a worker that consumes none now, as while it drains. (An empty list: there are no queues.)
NO_QUEUE_PLACEHOLDER = "(none)"


class HostService(models.Model):
    """A worker on a host that executes runs of this executor. Hosts that only tick have no such row.

    Written with each heartbeat of the worker, and when it shuts down. A worker that was killed leaves its row as it is.
    The tick deletes rows without a heartbeat for a day. A host is live by ``last_seen`` alone, so that runs which wait
    for it survive the restart of its worker.
    """

    host = models.ForeignKey(Host, models.CASCADE, related_name="services", db_index=False)
    executor = models.CharField(_("executor"), max_length=50)
    worker = models.CharField(
        _("worker"), max_length=200, blank=True, help_text=_("Its name. Empty: a process that gave none.")
    )
    last_seen = models.DateTimeField(_("last seen"), db_index=True)
    queues = models.JSONField(
        _("queues"), default=list, help_text=_("The queues that it consumes. Empty: the executor has no queues.")
    )
    slots = models.PositiveIntegerField(
        _("slots"), null=True, help_text=_("How many runs it executes at once. Empty: unknown, or no limit.")
    )
    busy = models.PositiveIntegerField(
        _("busy"), null=True, help_text=_("How many of them were in use at the heartbeat. Empty: unknown.")
    )
    version = models.CharField(
        _("version"), max_length=50, blank=True, help_text=_("The version of chroniker that it runs. Empty: unknown.")
    )
    started_at = models.DateTimeField(
        _("started at"), null=True, help_text=_("When the worker started. Empty: unknown.")
    )

    ended_at = models.DateTimeField(null=True, help_text=_("When the worker shut down. Empty: it did not."))

    objects = WriteDatabaseManager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["host", "executor", "worker"], name="chroniker_host_service_once"),
        )

    def __str__(self) -> str:
        return f"{self.executor} on host {self.host_id}"

    @property
    def consumed_queues(self) -> list[str]:
        """The names of its queues: one empty name if its executor has no queues."""
        return [name for name in self.queues if name != NO_QUEUE_PLACEHOLDER] if self.queues else [""]

"""Machines that tick or work."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import DecidingManager

#: In place of a host's name: all that are alive. The one name that no host can have.
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

    objects = DecidingManager()

    class Meta:
        verbose_name = _("host")
        verbose_name_plural = _("hosts")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class HostService(models.Model):
    """That a host executes runs of an executor. Not every host that is seen does: some only tick."""

    host = models.ForeignKey(Host, models.CASCADE, related_name="services", db_index=False)
    executor = models.CharField(_("executor"), max_length=50)
    last_seen = models.DateTimeField(_("last seen"))

    objects = DecidingManager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["host", "executor"], name="chroniker_host_service_once"),)

    def __str__(self) -> str:
        return f"{self.executor} on host {self.host_id}"

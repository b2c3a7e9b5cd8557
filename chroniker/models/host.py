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

    objects = DecidingManager()

    class Meta:
        verbose_name = _("host")
        verbose_name_plural = _("hosts")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

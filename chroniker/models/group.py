"""Groups of jobs, and the switch over all of them."""

from __future__ import annotations

from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from chroniker.models.alert_fields import AlertFields
from chroniker.models.base import UniqueNameManager, WriteDatabaseManager
from chroniker.models.channel import Channel

#: The number of the one row of ``Switch``.
SWITCH_ID = 1


class Pausable(models.Model):
    """While it is paused, none of its jobs is claimed. Open runs continue."""

    paused_at = models.DateTimeField(_("paused since"), null=True, blank=True, editable=False)
    paused_by = models.CharField(_("paused by"), max_length=150, blank=True, editable=False)
    paused_reason = models.CharField(_("paused because"), max_length=500, blank=True, editable=False)
    resumed_at = models.DateTimeField(
        null=True, editable=False, help_text=_("The end of its last pause: lateness counts from here at the earliest.")
    )
    # Counts the changes that the alerts of its jobs depend on. A tick checks these jobs, and writes the number seen.
    alert_revision = models.BigIntegerField(default=0, editable=False)
    alert_revision_seen = models.BigIntegerField(default=0, editable=False)

    class Meta:
        abstract = True


class Group(Pausable, AlertFields):
    """Jobs that share a limit and a pause switch."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    limit = models.PositiveIntegerField(
        _("limit"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("The number of jobs of the group that may be queued or running at once. Leave empty for no limit."),
    )
    channels = models.ManyToManyField(
        Channel,
        verbose_name=_("channels"),
        blank=True,
        related_name="groups",
        help_text=_("They get messages about its jobs that have no channel of their own."),
    )

    objects = UniqueNameManager()

    class Meta:
        verbose_name = _("group")
        verbose_name_plural = _("groups")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, and let the next tick check the alerts of its jobs."""
        if not self._state.adding:
            self.alert_revision = F("alert_revision") + 1
        if (names := kwargs.get("update_fields")) is not None:
            kwargs["update_fields"] = {*names, "alert_revision"}
        super().save(*args, **kwargs)
        self.__dict__.pop("alert_revision", None)  # the database has computed it: the next use reads it

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the group; its jobs stay, and the next tick books them, because their alert rules may have changed."""
        self.jobs.update(group=None)
        return super().delete(*args, **kwargs)

    def natural_key(self) -> tuple[str]:
        return (self.name,)


class Switch(Pausable):
    """The pause switch for all jobs: one row with id 1. No row means not paused.

    It also has the identity of the database in which the jobs run, see ``models.installation``.
    """

    server_identity = models.CharField(max_length=300, blank=True, editable=False)
    table_identity = models.CharField(max_length=300, blank=True, editable=False)
    installation = models.CharField(max_length=100, blank=True, editable=False)  #: CHRONIKER_INSTALLATION
    alert_settings = models.CharField(max_length=64, blank=True, editable=False)  #: digest of CHRONIKER_ALERTS
    paused_by_settings_at = models.DateTimeField(  #: seen by a tick, while no process ticks without CHRONIKER_PAUSED
        null=True, editable=False
    )
    copied_since = models.DateTimeField(null=True, editable=False)  #: when a tick noticed that this is a copy

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("switch")
        verbose_name_plural = _("switches")
        default_permissions = ()
        permissions = (("pause_jobs", _("Can pause and resume all jobs, or a group")),)

    def __str__(self) -> str:
        return str(_("all jobs"))

"""The table of ``beat_schedule``: until when each entry is sent."""

from __future__ import annotations

import hashlib

from django.db import models
from django.utils.translation import gettext_lazy as _


class BeatEntry(models.Model):
    """How far one entry of ``beat_schedule`` is sent. All beats of the fleet share the row.

    A beat sends the entry after its conditional UPDATE of ``served_until`` changed the row. The schedule itself stays
    in the settings of each beat.
    """

    key = models.CharField(max_length=64, unique=True, editable=False)  #: made by ``key_of_entry``
    name = models.CharField(_("name"), max_length=200)
    task = models.CharField(_("task"), max_length=200)
    schedule = models.CharField(
        _("schedule"), max_length=200, help_text=_("As the beat that started last has it in its settings.")
    )
    served_until = models.DateTimeField(
        _("accounted for until"),
        help_text=_("Its scheduled times until then were sent, by the clock of the database."),
    )
    sent_at = models.DateTimeField(_("last sent"), null=True)

    class Meta:
        app_label = "chroniker_celery"
        ordering = ("name", "key")
        verbose_name = _("beat entry")
        verbose_name_plural = _("beat entries")
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return self.name


def key_of_entry(name: str) -> str:
    """Identifies an entry. Names may differ only by case, which MariaDB and MySQL would ignore, and may be long."""
    return hashlib.sha256(name.encode()).hexdigest()

"""The audit of commands and programs: their actions on jobs, groups, runs and the pause of all jobs."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.models.base import WriteDatabaseManager
from chroniker.models.group import Group, Switch
from chroniker.models.job import Job

MAX_ACTOR_LENGTH = 150


class Action(models.TextChoices):
    """Each code with its text. The parameters are in ``AuditEntry.args``."""

    PAUSED = "PAUSED", _("Paused. %(why)s")
    RESUMED = "RESUMED", _("Resumed.")
    UNHELD = "UNHELD", _("Resumed after the hold.")
    RUN = "RUN", _("Run %(token)d started manually.")
    RUN_WITH = "RUN_WITH", _("Run %(token)d started manually with the arguments: %(args)s")
    BACKFILL = "BACKFILL", _("Backfill %(id)s requested (planned runs: %(planned)d).")
    BACKFILL_CANCELLED = "BACKFILL_CANCELLED", _("Backfill %(id)s cancelled.")
    RETRY_CANCELLED = "RETRY_CANCELLED", _("Retry after run %(token)d cancelled.")
    RETRY_HASTENED = "RETRY_HASTENED", _("Retry moved to the current time.")
    STOPPED = "STOPPED", _("Stop requested for run %(token)d.")
    SYNCHRONISED = "SYNCHRONISED", _("Synchronised with the declaration in code: %(details)s")
    ADOPTED = "ADOPTED", _("This copy of the database was adopted. %(details)s")
    MUTED = "MUTED", _("Alerts muted until %(until)s. %(why)s")
    UNMUTED = "UNMUTED", _("Alerts are no longer muted.")
    IMPORTED = "IMPORTED", _("Imported from another scheduler.")
    DRAINED = "DRAINED", _("The host “%(host)s” no longer claims or starts runs.")
    UNDRAINED = "UNDRAINED", _("The host “%(host)s” claims and starts runs again.")
    CLEANED = "CLEANED", _("Runs deleted (ended before %(until)s): %(n)d.")


class AuditEntryManager(WriteDatabaseManager["AuditEntry"]):
    def record(self, actor: str, action: Action, rows: Iterable[Job | Group | Switch], **args: Any) -> None:
        """One entry for each of ``rows``, in one statement. ``actor``: the name of the command or program."""
        self.record_each(actor, action, [(row, args) for row in rows])

    def record_each(
        self, actor: str, action: Action, rows: Iterable[tuple[Job | Group | Switch, dict[str, Any]]]
    ) -> None:
        """Like ``record``, with own parameters for each row."""
        now: Any = NowPlus()
        self.bulk_create(
            [
                AuditEntry(
                    at=now,
                    actor=actor[:MAX_ACTOR_LENGTH],
                    action=action,
                    kind=audit_object_kind(row),
                    object_id=row.pk,
                    args=args,
                )
                for row, args in rows
            ]
        )

    def entries_of_row(self, row: Job | Group | Switch) -> models.QuerySet[AuditEntry]:
        """The entries of this row, newest first."""
        return self.filter(kind=audit_object_kind(row), object_id=row.pk).order_by("-pk")


class AuditEntry(models.Model):
    """One action of a command or a program. Actions of users are in the log of Django's admin. Kept for a year.

    ``object_id`` is no foreign key: an entry stays when its job is deleted.
    """

    at = models.DateTimeField(_("time"), db_index=True)
    actor = models.CharField(_("by"), max_length=MAX_ACTOR_LENGTH, help_text=_("The name of the command or program."))
    action = models.CharField(_("action"), max_length=20)  # no choices: a new code changes no table
    args = models.JSONField(default=dict)
    kind = models.CharField(max_length=10, help_text=_("The kind of object: job, group or switch."))
    object_id = models.BigIntegerField()

    objects = AuditEntryManager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        default_permissions = ()
        indexes = (models.Index(fields=["kind", "object_id"], name="chroniker_audit_object"),)

    def __str__(self) -> str:
        """The action in the active language. Never raises: what another version wrote is shown as it is."""
        try:
            text: str = str(Action(self.action).label) % self.args
            return text.strip()
        except (KeyError, TypeError, ValueError):
            return " ".join([self.action, *(f"{name}={value}" for name, value in self.args.items())])


def audit_object_kind(row: Job | Group | Switch) -> str:
    concrete: Any = row._meta.concrete_model  # for a proxy: the model itself
    return str(concrete._meta.model_name)


def command_actor(command: str) -> str:
    """The actor of a management command: user of the system, host and command."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container the user may have no name
        user = f"user {os.getuid()}"
    return f"{user} on {settings.hostname} (manage.py {command})"

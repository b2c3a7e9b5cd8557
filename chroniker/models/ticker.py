"""Which processes tick, how their passes went, and which work of the whole fleet is due."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import WriteDatabaseManager


class Ticker(models.Model):
    """The last pass of a process that ticks: one row per host and kind of process.

    Written after a pass, at most every 10 s. Passes of ``cron --jobs`` and passes started in a terminal are not
    recorded, because no other pass has to follow them. The row of a process that has shut down stays while it is the
    newest: if nothing ticks any more, the row shows since when.
    """

    host = models.CharField(_("host"), max_length=200)
    kind = models.CharField(_("kind"), max_length=20, help_text=_("The command or program: beat, cron or cronserver."))
    version = models.CharField(_("version"), max_length=50, help_text=_("The version of chroniker that it runs."))
    pid = models.BigIntegerField(_("process"))
    period = models.FloatField(
        _("period"), help_text=_("The longest time, in seconds, from the begin of one pass to the next.")
    )
    last_at = models.DateTimeField(_("last pass"), db_index=True, help_text=_("When its last recorded pass ended."))
    pass_seconds = models.FloatField(_("duration"), help_text=_("How long that pass took."))
    is_paused = models.BooleanField(_("paused"), default=False, help_text=_("By CHRONIKER_PAUSED in its settings."))
    ended_at = models.DateTimeField(_("ended"), null=True)  #: when its process shut down; a later pass empties it

    objects = WriteDatabaseManager()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["host", "kind"], name="chroniker_ticker_once"),)

    def __str__(self) -> str:
        return f"{self.kind} on {self.host}"


class TickMinute(models.Model):
    """The passes of a host's processes that ended in one minute. Kept for a day. Durations are seconds.

    A minute without a row had no pass. The row of a minute is written when the minute is over.
    """

    host = models.CharField(max_length=200)
    minute = models.DateTimeField(db_index=True)
    passes = models.PositiveIntegerField(default=0)
    longest_pass = models.FloatField(default=0.0)
    longest_gap = models.FloatField(
        default=0.0, help_text=_("The longest time from the end of one pass to the end of the next.")
    )
    claimed = models.PositiveIntegerField(default=0, help_text=_("Runs that these passes claimed."))

    objects = WriteDatabaseManager()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["host", "minute"], name="chroniker_tick_minute_once"),)

    def __str__(self) -> str:
        return f"passes of {self.host} in the minute of {self.minute:%Y-%m-%d %H:%M}"


class FleetWork(models.Model):
    """Periodic work for the whole fleet: the tick that moves ``due_at`` forward by a conditional UPDATE does it."""

    name = models.CharField(primary_key=True, max_length=30)
    due_at = models.DateTimeField()

    objects = WriteDatabaseManager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

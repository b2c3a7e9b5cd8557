"""The states of a run (``Status``), every allowed transition between them, and the choices ``Trigger``, ``CatchUp`` and
``Overlap``."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

# The states of a run. A test compares this table with ALLOWED_TRANSITIONS, the database's constraints
# and docs/reference/states.md.
#
#   event       from      to                                  by
#   ----------  --------  ----------------------------------  -------------------------------------------
#   claimed     -         CLAIMED                             tick, run now, retry, trigger or event, backfill
#   opened      -         RUNNING                             tick, run now, retry, backfill: a run on every host
#   skipped     -         SKIPPED                             tick, or an edit that closes a range
#   started     CLAIMED   RUNNING                             supervisor
#   finished    RUNNING   SUCCEEDED FAILED TIMED_OUT STOPPED  supervisor; for a run on every host, its last child
#   cancelled   CLAIMED   STOPPED                             a person, before it started
#   not taken   CLAIMED   LOST                                tick: the start deadline has passed
#   lost        RUNNING   LOST                                tick: the lease has expired; supervisor: its worker ends
#   imported    -         SUCCEEDED FAILED TIMED_OUT          import of the past runs of another scheduler's job


class Status(models.TextChoices):
    CLAIMED = "CLAIMED", _("queued")
    RUNNING = "RUNNING", _("running")
    SUCCEEDED = "SUCCEEDED", _("succeeded")
    FAILED = "FAILED", _("failed")
    TIMED_OUT = "TIMED_OUT", _("timed out")
    STOPPED = "STOPPED", _("stopped")
    LOST = "LOST", _("lost")
    SKIPPED = "SKIPPED", _("skipped")


OPEN_STATUSES = (Status.CLAIMED, Status.RUNNING)
FINAL_STATUSES = tuple(status for status in Status if status not in OPEN_STATUSES)

#: Final states that count as failures. A stopped run does not: its stop was requested.
FAILURE_STATUSES = (Status.FAILED, Status.TIMED_OUT, Status.LOST)
#: Final states a supervisor may report.
SUPERVISOR_REPORTED_STATUSES = (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.STOPPED)

#: (from, to) for each allowed move; ``None`` is "no row yet".
ALLOWED_TRANSITIONS: frozenset[tuple[Status | None, Status]] = frozenset(
    {
        (None, Status.CLAIMED),
        (None, Status.RUNNING),
        (None, Status.SKIPPED),
        (Status.CLAIMED, Status.RUNNING),
        (Status.CLAIMED, Status.STOPPED),
        (Status.CLAIMED, Status.LOST),
        (Status.RUNNING, Status.LOST),
        *((None, past) for past in (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT)),
        *((Status.RUNNING, final) for final in SUPERVISOR_REPORTED_STATUSES),
    }
)


class Trigger(models.TextChoices):
    SCHEDULE = "SCHEDULE", _("schedule")
    MANUAL = "MANUAL", _("by hand")
    RETRY = "RETRY", _("retry")
    EVENT = "EVENT", _("trigger")
    BACKFILL = "BACKFILL", _("backfill")


class CatchUp(models.TextChoices):
    """The policy for instants that are due together: after an outage, or because a run was open."""

    COALESCE = "COALESCE", _("one run for all of them")
    EACH = "EACH", _("one run for each, in order")
    LATEST = "LATEST", _("one run for the last; skip the others")


class Overlap(models.TextChoices):
    """The policy for instants that come due while the job still runs."""

    WAIT = "WAIT", _("wait: start when the run ends")
    SKIP = "SKIP", _("skip them")
    REPLACE = "REPLACE", _("replace: stop the run, then start")

"""The progress of a run: a bar, its rate, and the estimated end."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker.admin.shared.cells import Cell, distance, moment, progress, span
from chroniker.insights.durations import Estimate, estimate
from chroniker.models import Lease, Run


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The progress of a started run, at ``now`` or at its end."""

    run: Run
    held: Lease | Run  #: which row has the progress: the lease while the run is open
    now: dt.datetime
    expected: dt.timedelta | None = None  #: the usual duration

    def cell(self) -> Cell:
        """“13 / 77 (16 %)”, and below it the rate and the estimated end: by this rate, and by past runs."""
        total, done = self.held.total_parts, self.held.total_parts_complete
        open_ = self.run.finished_at is None
        at = self.now if self.run.finished_at is None else self.run.finished_at
        found = estimate(self.run.started_at, at, total=total, done=done, expected=self.expected)
        notes = [_rate(found, at, ends=open_), self._by_past(found) if open_ else ""]
        return progress(total, done, " ".join(filter(None, notes)))

    def _by_past(self, found: Estimate) -> str:
        if found.by_past is None or self.expected is None:
            return ""
        words = {"took": span(self.expected), "late": span(self.now - found.by_past)}
        if found.by_past < self.now:
            return _("Past runs took %(took)s; this one has taken %(late)s longer.") % words
        words["when"] = _when(found.by_past, self.now)
        return _("Past runs took %(took)s: done %(when)s.") % words


def _rate(found: Estimate, now: dt.datetime, *, ends: bool) -> str:
    if found.rate is None:
        return ""
    rate = rate_in_words(found.rate)
    if not ends or found.by_rate is None:
        return f"{rate}."
    if found.by_rate <= now:
        return _("%(rate)s; all parts are done.") % {"rate": rate}
    return _("%(rate)s: done %(when)s.") % {"rate": rate, "when": _when(found.by_rate, now)}


def rate_in_words(rate: float) -> str:
    """In the unit in which the number is at least one, with three digits."""
    if rate >= 1:
        return _("%(n).3g per second") % {"n": rate} if rate < 1000 else _("%(n)d per second") % {"n": rate}
    if rate * 60 >= 1:
        return _("%(n).3g per minute") % {"n": rate * 60}
    if rate * 3600 >= 1:
        return _("%(n).3g per hour") % {"n": rate * 3600}
    return _("%(n).3g per day") % {"n": rate * 86400}


def _when(value: dt.datetime, now: dt.datetime) -> str:
    """“in 4 minutes (14:03:20)”, with the date if it is not today."""
    local, today = timezone.localtime(value), timezone.localtime(now)
    clock = f"{local:%H:%M:%S}" if local.date() == today.date() else moment(value)
    return f"{distance(value, now)} ({clock})"

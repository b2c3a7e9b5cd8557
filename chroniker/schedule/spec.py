"""What a schedule is made of: plain text and datetimes, no ORM."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Frequency(TextChoices):
    """Which kind of rule gives a schedule's instants."""

    CRON = "CRON", _("cron expression")
    ONCE = "ONCE", _("once")
    YEARLY = "YEARLY", _("yearly")
    MONTHLY = "MONTHLY", _("monthly")
    WEEKLY = "WEEKLY", _("weekly")
    DAILY = "DAILY", _("daily")
    HOURLY = "HOURLY", _("hourly")
    MINUTELY = "MINUTELY", _("every so many minutes")
    SECONDLY = "SECONDLY", _("every so many seconds")


class DstGap(TextChoices):
    """What becomes of a wall-clock time that the clock leaves out."""

    RUN = "RUN", _("run at the first moment after it")
    SKIP = "SKIP", _("do not run")


class DstFold(TextChoices):
    """Which of the two a wall-clock time means that the clock shows twice."""

    FIRST = "FIRST", _("run the first time")
    SECOND = "SECOND", _("run the second time")
    BOTH = "BOTH", _("run both times")


@dataclass(frozen=True, slots=True)
class Spec:
    """One schedule. Nothing is checked here; ``validate`` does that.

    ``starts_at`` and ``ends_at`` bound every frequency; an instant that falls on one of them counts. ``starts_at`` is
    also the anchor that an rrule frequency counts its interval from. Without it the anchor is Monday, 2001-01-01
    00:00 in the schedule's zone, so that the same rule gives the same instants whenever it was saved.
    """

    frequency: str
    cron: str = ""
    params: str = ""
    run_at: dt.datetime | None = None
    starts_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None
    timezone: str = "UTC"
    dst_gap: str = DstGap.RUN.value
    dst_fold: str = DstFold.FIRST.value

    def fingerprint(self) -> str:
        """32 characters that change whenever an instant could.

        Fields that the frequency does not read are left out: an edit of them leaves the timeline alone. New rules of
        the time zone database do not change it.
        """
        parts = [str(self.frequency), *self._own_parts(), _stamp(self.starts_at), _stamp(self.ends_at)]
        return hashlib.blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=16).hexdigest()

    def _own_parts(self) -> list[str]:
        if self.frequency == Frequency.ONCE:
            return [_stamp(self.run_at)]
        rule = self.cron if self.frequency == Frequency.CRON else self.params
        return [rule, self.timezone, str(self.dst_gap), str(self.dst_fold)]


def _stamp(moment: dt.datetime | None) -> str:
    if moment is None:
        return ""
    return (moment.astimezone(dt.UTC) if moment.tzinfo else moment).isoformat()

"""The definition of a schedule, and the jitter of a job: plain text and datetimes, no ORM."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Frequency(TextChoices):
    """The kind of a schedule."""

    CRON = "CRON", _("cron expression")
    ONCE = "ONCE", _("once")
    YEARLY = "YEARLY", _("yearly")
    MONTHLY = "MONTHLY", _("monthly")
    WEEKLY = "WEEKLY", _("weekly")
    DAILY = "DAILY", _("daily")
    HOURLY = "HOURLY", _("hourly")
    MINUTELY = "MINUTELY", _("every n minutes")
    SECONDLY = "SECONDLY", _("every n seconds")
    MANUAL = "MANUAL", _("by hand only, or by a trigger")


class DstGap(TextChoices):
    """The policy for a wall-clock time that does not exist, because the clock skips an hour (DST start)."""

    RUN = "RUN", _("run right after the skipped hour")
    SKIP = "SKIP", _("do not run")


class DstFold(TextChoices):
    """Which occurrence of a wall-clock time counts when an hour repeats (DST end)."""

    FIRST = "FIRST", _("run the first time")
    SECOND = "SECOND", _("run the second time")
    BOTH = "BOTH", _("run both times")


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """One schedule. Not validated here; see ``timeline.validate_schedule``. The frequency MANUAL has no instants.

    ``starts_at`` and ``ends_at`` limit every frequency, both included. ``starts_at`` is also the anchor of recurrence
    rules. Without it the anchor is Monday, 2001-01-01 00:00 in the schedule's zone. So the same rule always has the
    same instants, independent of the time at which it was saved.
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

    @functools.lru_cache(maxsize=8192)  # noqa: B019  # the key is a plain value: the cache keeps no job alive
    def fingerprint(self) -> str:
        """A hash of 32 characters that changes whenever an instant may change.

        It does not contain fields that the frequency does not use, or the rules of the time zone database.
        """
        parts = [str(self.frequency)]
        if self.frequency != Frequency.MANUAL:
            parts += [*self._fingerprint_parts(), _utc_text(self.starts_at), _utc_text(self.ends_at)]
        return hashlib.blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=16).hexdigest()

    def _fingerprint_parts(self) -> list[str]:
        if self.frequency == Frequency.ONCE:
            return [_utc_text(self.run_at)]
        rule = self.cron if self.frequency == Frequency.CRON else self.params
        return [rule, self.timezone, str(self.dst_gap), str(self.dst_fold)]


def _utc_text(moment: dt.datetime | None) -> str:
    if moment is None:
        return ""
    return (moment.astimezone(dt.UTC) if moment.tzinfo else moment).isoformat()


def jitter(job_id: int | str, jitter_seconds: float) -> dt.timedelta:
    """The delay of this job: always the same, in [0, ``jitter_seconds``), evenly distributed over jobs.

    Uses a hash instead of ``id % span``, because jobs with the same schedule often have regularly spaced ids.
    """
    if not jitter_seconds:
        return dt.timedelta()
    digest = hashlib.blake2b(str(job_id).encode(), digest_size=8).digest()
    span = int(jitter_seconds * 1_000_000)
    return dt.timedelta(microseconds=int.from_bytes(digest) * span >> 64)

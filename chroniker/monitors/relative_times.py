"""Moments relative to now: ``-7`` (days), ``-7d``, ``+2h30m``. The same words in templates and in conditions."""

from __future__ import annotations

import datetime as dt
import re

from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker.exceptions import MonitorError

_OFFSET = re.compile(r"([+-]?)\s*(\d{1,6}|(?:\d{1,6}[wdhms])+)", re.IGNORECASE)
_PART = re.compile(r"(\d+)([wdhms]?)", re.IGNORECASE)
_RELATIVE = re.compile(r"(now|today)\s*([+-].*)?", re.IGNORECASE | re.DOTALL)
_UNITS = {"": "days", "w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def shift(offset: str | int, since: dt.datetime | None = None) -> dt.datetime:
    """``since`` (default: now) in the current time zone, moved by the offset. Raises ``MonitorError``.

    Weeks and days are those of the calendar, so that a day's change of the clocks keeps the time of day; hours,
    minutes and seconds are real time.
    """
    calendar, clock = _read(str(offset))
    zone = timezone.get_current_timezone()
    try:
        local = (since or timezone.now()).astimezone(zone) + calendar
        return (local.astimezone(dt.UTC) + clock).astimezone(zone)
    except OverflowError:
        raise MonitorError(_("“%(text)s” leads out of the calendar.") % {"text": offset}) from None


def parse_relative_time(text: str) -> dt.datetime | None:
    """``now``, ``now-7d``, ``today``, ``today+1``: that moment; ``None`` for any other text."""
    found = _RELATIVE.fullmatch(text.strip())
    if found is None:
        return None
    since = timezone.localtime()
    if found[1].lower() == "today":
        since = since.replace(hour=0, minute=0, second=0, microsecond=0)
    return shift(found[2] or "0", since)


def _read(text: str) -> tuple[dt.timedelta, dt.timedelta]:
    """The offset's days of the calendar, and its real time."""
    found = _OFFSET.fullmatch(text.strip())
    if found is None:
        right = _("“%(text)s” is no offset: write days, as -7, or numbers with units: -2w, -7d, +12h, -1d6h30m, +90s.")
        raise MonitorError(right % {"text": text})
    sign = -1 if found[1] == "-" else 1
    calendar = clock = dt.timedelta()
    for number, unit in _PART.findall(found[2]):
        length = sign * dt.timedelta(**{_UNITS[unit.lower()]: int(number)})
        if unit.lower() in ("", "d", "w"):
            calendar += length
        else:
            clock += length
    return calendar, clock

"""Parses times relative to now, in templates and conditions: ``-7`` (days), ``-7d``, ``+2h30m``."""

from __future__ import annotations

import datetime as dt
import re

from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker.exceptions import MonitorError

_OFFSET_PATTERN = re.compile(r"([+-]?)\s*(\d{1,6}|(?:\d{1,6}[wdhms])+)", re.IGNORECASE)
_OFFSET_PART_PATTERN = re.compile(r"(\d+)([wdhms]?)", re.IGNORECASE)
_NOW_OR_TODAY_PATTERN = re.compile(r"(now|today)\s*([+-].*)?", re.IGNORECASE | re.DOTALL)
_TIME_UNIT_NAMES = {"": "days", "w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def add_offset(offset: str | int, since: dt.datetime | None = None) -> dt.datetime:
    """``since`` (default: now) plus the offset, in the current time zone. Raises ``MonitorError``.

    Weeks and days are calendar days: the time of day stays the same if the clock changes. Hours, minutes and seconds
    are real time.
    """
    days, clock = _parse_offset(str(offset))
    zone = timezone.get_current_timezone()
    try:
        local = (since or timezone.now()).astimezone(zone) + days
        return (local.astimezone(dt.UTC) + clock).astimezone(zone)
    except OverflowError:
        raise MonitorError(_("“%(text)s” leads to a date outside the years 1 to 9999.") % {"text": offset}) from None


def parse_relative_time(text: str) -> dt.datetime | None:
    """The moment of ``now``, ``now-7d``, ``today`` or ``today+1``. None for any other text."""
    found = _NOW_OR_TODAY_PATTERN.fullmatch(text.strip())
    if found is None:
        return None
    since = timezone.localtime()
    if found[1].lower() == "today":
        since = since.replace(hour=0, minute=0, second=0, microsecond=0)
    return add_offset(found[2] or "0", since)


def _parse_offset(text: str) -> tuple[dt.timedelta, dt.timedelta]:
    """Split the offset: weeks and days as calendar days, hours, minutes and seconds as real time."""
    found = _OFFSET_PATTERN.fullmatch(text.strip())
    if found is None:
        message = _("“%(text)s” is not an offset: write days (-7) or units (-2w, -7d, +12h, -1d6h30m, +90s).")
        raise MonitorError(message % {"text": text})
    sign = -1 if found[1] == "-" else 1
    days = clock = dt.timedelta()
    for number, unit in _OFFSET_PART_PATTERN.findall(found[2]):
        length = sign * dt.timedelta(**{_TIME_UNIT_NAMES[unit.lower()]: int(number)})
        if unit.lower() in ("", "d", "w"):
            days += length
        else:
            clock += length
    return days, clock

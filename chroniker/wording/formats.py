"""Times, durations and numbers as texts, in the current language and time zone. One format for all pages."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

#: In place of a value that does not exist.
NO_VALUE_TEXT = "–"  # noqa: RUF001  a dash

_MAX_DAYS_WITH_WEEKDAY = dt.timedelta(days=6)


def short_time(value: dt.datetime | None, now: dt.datetime | None = None) -> str:
    """“09:41” today, “Wed 09:41” within six days, otherwise “10 Dec 04:00”; another year is added."""
    return _format_time(value, now, "%H:%M")


def exact_time(value: dt.datetime | None, now: dt.datetime | None = None) -> str:
    """Like ``short_time``, with seconds."""
    return _format_time(value, now, "%H:%M:%S")


def full_time(value: dt.datetime | None) -> str:
    """“2026-11-28 09:41:12”, the same in every language; for tooltips and lists."""
    return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S}" if value else NO_VALUE_TEXT


def zoned_time(value: dt.datetime | None) -> str:
    """“2026-11-28 09:41:12 CET”; for mails, other messages and logs, whose readers may live in another time zone."""
    return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S %Z}" if value else NO_VALUE_TEXT


def _format_time(value: dt.datetime | None, now: dt.datetime | None, clock: str) -> str:
    if value is None:
        return NO_VALUE_TEXT
    zone = timezone.get_current_timezone()
    local, today = timezone.localtime(value, zone), timezone.localtime(now, zone)
    time = local.strftime(clock)
    if local.date() == today.date():
        return time
    if abs(local.date() - today.date()) <= _MAX_DAYS_WITH_WEEKDAY:
        return f"{format_date(local, 'D')} {time}"
    # Translators: a date as in “10 Dec”, in the letters of Django's date format.
    day = pgettext("date format", "j M")
    # Translators: a date as in “10 Dec 2025”, in the letters of Django's date format.
    day = day if local.year == today.year else pgettext("date format", "j M Y")
    return f"{format_date(local, day)} {time}"


def short_duration(length: dt.timedelta | float | None) -> str:
    """“640 ms”, “4.2 s”, “2 s”, “38 s”, “6 min 22 s”, “52 min”, “2 h 25 min”, “3 d 4 h”. A number is in seconds.

    One decimal below 10 s, and none where it is zero, as the second unit of longer durations.
    """
    if length is None:
        return NO_VALUE_TEXT
    seconds = max(length.total_seconds() if isinstance(length, dt.timedelta) else float(length), 0.0)
    if seconds < 0.9995:
        return _("%(n)d ms") % {"n": round(seconds * 1000)}
    if seconds < 9.95:
        tenths = round(seconds, 1)
        return _("%(n)s s") % {"n": number_format(tenths, 0 if tenths.is_integer() else 1)}
    if seconds < 59.5:
        return _("%(n)d s") % {"n": round(seconds)}
    return _long_duration(round(seconds))


def _long_duration(seconds: int) -> str:
    if seconds < 600:
        return _duration_in_two_units(seconds, 60, _("%(n)d min"), _("%(n)d s"))
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("%(n)d min") % {"n": minutes}
    if minutes < 24 * 60:
        return _duration_in_two_units(minutes, 60, _("%(n)d h"), _("%(n)d min"))
    return _duration_in_two_units(round(minutes / 60), 24, _("%(n)d d"), _("%(n)d h"))


def _duration_in_two_units(value: int, size: int, large: str, small: str) -> str:
    """Two units; the small one is left out when it is zero."""
    whole, rest = divmod(value, size)
    return large % {"n": whole} + (f" {small % {'n': rest}}" if rest else "")


def coarse_duration(length: dt.timedelta | float) -> str:
    """One unit, rounded down: “48 s”, “3 min”, “2 h”, “4 d”."""
    seconds = int(max(length.total_seconds() if isinstance(length, dt.timedelta) else length, 0))
    if seconds >= 86_400:
        return _("%(n)d d") % {"n": seconds // 86_400}
    if seconds >= 3_600:
        return _("%(n)d h") % {"n": seconds // 3_600}
    if seconds >= 60:
        return _("%(n)d min") % {"n": seconds // 60}
    return _("%(n)d s") % {"n": seconds}


def relative(value: dt.datetime | None, now: dt.datetime | None = None) -> str:
    """“2 s ago”, “in 3 min”."""
    if value is None:
        return NO_VALUE_TEXT
    length = value - (now or timezone.now())
    if length > dt.timedelta(0):
        return _("in %(time)s") % {"time": coarse_duration(length)}
    return _("%(time)s ago") % {"time": coarse_duration(-length)}


def format_count(number: int | None) -> str:
    """“1,980”, with the language's separator."""
    return NO_VALUE_TEXT if number is None else number_format(number, force_grouping=True)


def percent(part: float, whole: float) -> str:
    """“98.3 %”; “100 %” and “0 %” only when they are exact."""
    if not whole:
        return NO_VALUE_TEXT
    if part in (0, whole):
        return _("%(n)s %%") % {"n": "100" if part else "0"}
    share = min(max(100 * part / whole, 0.1), 99.9)
    return _("%(n)s %%") % {"n": number_format(round(share, 1), 1)}


def rate_in_words(rate: float) -> str:
    """“17.4 per second”, “6 per minute”: with three digits, in the first unit in which the number is at least 1.

    ``rate``: per second.
    """
    if rate >= 1:
        return _("%(n).3g per second") % {"n": rate} if rate < 1000 else _("%(n)d per second") % {"n": rate}
    if rate * 60 >= 1:
        return _("%(n).3g per minute") % {"n": rate * 60}
    if rate * 3600 >= 1:
        return _("%(n).3g per hour") % {"n": rate * 3600}
    return _("%(n).3g per day") % {"n": rate * 86400}


def number_of_times_in_words(number: int) -> str:
    """“once”, “3 times”."""
    return ngettext("once", "%(n)d times", number) % {"n": number}


def as_sentence(reason: str) -> str:
    """A reason, such as “it exited with status 1”, with a capital letter and a full stop."""
    return f"{capfirst(reason)}{'' if not reason or reason[-1] in '.!?…' else '.'}"

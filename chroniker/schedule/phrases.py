"""Phrases for descriptions of schedules, in the active language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.schedule.spec import Frequency

#: Longer lists of times or days are not written out.
MAX_LISTED_ITEMS = 6


def join_words(words: Iterable[object]) -> str:
    """“a”, “a and b”, “a, b and c”."""
    *rest, last = [str(word) for word in words]
    return _("%(rest)s and %(last)s") % {"rest": ", ".join(rest), "last": last} if rest else last


def weekday_name(day: int) -> str:
    """The name of a day of the week; Monday is 0."""
    return str(WEEKDAYS[day])


def month_names(numbers: Sequence[int]) -> str:
    return join_words(MONTHS[number] for number in numbers)


def format_clock_time(hour: int, minute: int, second: int = 0) -> str:
    return f"{hour:02}:{minute:02}:{second:02}" if second else f"{hour:02}:{minute:02}"


def times_phrase(hours: Sequence[int], minutes: Sequence[int], seconds: Sequence[int]) -> str | None:
    if len(hours) * len(minutes) * len(seconds) > MAX_LISTED_ITEMS:
        return None
    times = [format_clock_time(hour, minute, second) for hour in hours for minute in minutes for second in seconds]
    return _("at %(times)s") % {"times": join_words(times)}


def format_date_and_time(value: dt.datetime) -> str:
    return f"{value:%Y-%m-%d} {format_clock_time(value.hour, value.minute, value.second)}"


def interval_phrase(frequency: str, n: int) -> str:
    texts = {
        Frequency.YEARLY: ngettext("every year", "every %(n)d years", n),
        Frequency.MONTHLY: ngettext("every month", "every %(n)d months", n),
        Frequency.WEEKLY: ngettext("every week", "every %(n)d weeks", n),
        Frequency.DAILY: ngettext("every day", "every %(n)d days", n),
        Frequency.HOURLY: ngettext("every hour", "every %(n)d hours", n),
        Frequency.MINUTELY: ngettext("every minute", "every %(n)d minutes", n),
        Frequency.SECONDLY: ngettext("every second", "every %(n)d seconds", n),
    }
    return texts[Frequency(frequency)] % {"n": n} if n != 1 else texts[Frequency(frequency)]


def monthdays_phrase(days: Sequence[int], of_months: Sequence[int] = ()) -> str | None:
    """“on day 1 of the month”; -1 is the last day. None: there is no simple phrase."""
    if len(of_months) == 1 and all(day > 0 for day in days):
        return _("on %(days)s %(month)s") % {"days": join_words(days), "month": month_names(of_months)}
    if any(day < -1 for day in days):
        return None
    positive = [day for day in sorted(days) if day > 0]
    parts = [_("day %(days)s of the month") % {"days": join_words(positive)}] if positive else []
    if -1 in days:
        parts.append(_("the last day of the month"))
    text = _("on %(days)s") % {"days": join_words(parts)}
    return _append_months_phrase(text, of_months)


def weekdays_phrase(days: Sequence[tuple[int, int]], of_months: Sequence[int] = ()) -> str | None:
    """“on Monday”. ``days``: a weekday and its number in the month, 0 for every one. None: no simple phrase."""
    plain = [day for day, nth in days if not nth]
    counted = [_nth_weekday(day, nth) for day, nth in sorted(days, key=lambda pair: pair[1] % 100) if nth]
    if None in counted or (plain and counted):
        return None
    named = join_words(counted) if counted else _weekday_span(plain)
    return _append_months_phrase(_("on %(days)s") % {"days": named}, of_months)


def _nth_weekday(day: int, nth: int) -> str | None:
    texts = {
        1: _("the first %(day)s of the month"),
        2: _("the second %(day)s of the month"),
        3: _("the third %(day)s of the month"),
        4: _("the fourth %(day)s of the month"),
        5: _("the fifth %(day)s of the month"),
        -1: _("the last %(day)s of the month"),
    }
    return texts[nth] % {"day": weekday_name(day)} if nth in texts else None


def every_weekday_phrase(days: Sequence[int]) -> str:
    """“every Monday and Friday”; days of the week that follow each other are named as a span."""
    return _("every %(days)s") % {"days": _weekday_span(days)}


def _weekday_span(days: Sequence[int]) -> str:
    first, last = days[0], days[-1]
    if len(days) > 2 and list(days) == list(range(first, last + 1)):
        return _("%(first)s to %(last)s") % {"first": weekday_name(first), "last": weekday_name(last)}
    return join_words(weekday_name(day) for day in days)


def _append_months_phrase(text: str, of_months: Sequence[int]) -> str:
    return _("%(days)s in %(months)s") % {"days": text, "months": month_names(of_months)} if of_months else text

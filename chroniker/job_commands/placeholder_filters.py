"""The filters of placeholders: `|date:"Y-m-d"`, `|shift:"-1d"`, `|default:"none"`. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from django.utils import dateformat, translation
from django.utils.translation import gettext as _

from chroniker.exceptions import CommandRefused, ScheduleError
from chroniker.schedule.zones import zone

MAX_SHIFT = dt.timedelta(days=3660)

_FILTER_PATTERN = re.compile(r'\s*\|\s*(?P<name>[A-Za-z_]*)\s*(?::\s*(?:"(?P<value>[^"]*)")?)?')
_SHIFT_PATTERN = re.compile(r"(?P<number>[+-]?\d{1,9})(?P<unit>[wdhms])\Z")
_TIME_UNIT_NAMES = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


@dataclass(frozen=True, slots=True)
class PlaceholderFilter:
    name: str
    value: str

    def apply(self, input_value: dt.datetime | str | None) -> dt.datetime | str | None:
        """``None`` stays ``None``, except for “default”. Raises ``CommandRefused`` for a time beyond the calendar."""
        if self.name == "default":
            return self.value if input_value is None else input_value
        if not isinstance(input_value, dt.datetime):
            return input_value
        try:
            return (_TIME_FILTERS.get(self.name) or _TEXT_FILTERS[self.name])(input_value, self.value)
        except (OverflowError, ValueError):
            text = _("The placeholder's filter %(filter)s gives a time outside the supported range.")
            raise CommandRefused(text % {"filter": f"{self.name}:“{self.value}”"}) from None


def read_filters(text: str, position: int, name: str, *, is_time: bool) -> tuple[tuple[PlaceholderFilter, ...], int]:
    """The filters of the placeholder ``name`` from this position on, and the position after them.

    Raises ``CommandRefused``, with a correct form, for a filter that is unknown, has a wrong value or cannot follow.
    """
    found: list[PlaceholderFilter] = []
    while (one := _FILTER_PATTERN.match(text, position)) is not None:
        each = PlaceholderFilter(one["name"], one["value"] or "")
        if found and found[-1].name == "default":
            raise CommandRefused(_("In {{ %(name)s }} the filter “default” must be the last one.") % {"name": name})
        _check_filter(each, name, has_value=one["value"] is not None, is_time=is_time)
        is_time = is_time and each.name in _TIME_FILTERS
        found.append(each)
        position = one.end()
    return tuple(found), position


def _check_filter(checked_filter: PlaceholderFilter, name: str, *, has_value: bool, is_time: bool) -> None:
    words = {"name": name, "filter": checked_filter.name}
    if checked_filter.name not in FILTER_EXAMPLES:
        known = ", ".join(FILTER_EXAMPLES)
        raise CommandRefused(
            _("{{ %(name)s }} has no filter “%(filter)s”; the filters are: %(known)s.") % {**words, "known": known}
        )
    if checked_filter.name != "default" and not is_time:
        raise CommandRefused(_("In {{ %(name)s }} the filter “%(filter)s” can be applied only to a time.") % words)
    example = FILTER_EXAMPLES[checked_filter.name]
    if has_value != bool(example) or (has_value and not checked_filter.value and checked_filter.name != "default"):
        form = f'|{checked_filter.name}:"{example}"' if example else f"|{checked_filter.name}"
        raise CommandRefused(_("In {{ %(name)s }} write the filter like %(form)s.") % {**words, "form": form})
    problem = _VALUE_CHECKS[checked_filter.name](checked_filter.value) if checked_filter.name in _VALUE_CHECKS else ""
    if problem:
        raise CommandRefused(_("In {{ %(name)s }}: %(problem)s") % {**words, "problem": problem})


def _shift_problem(value: str) -> str:
    shift = _SHIFT_PATTERN.match(value)
    if shift is None:
        return _("“%(value)s” is not a valid shift; write a number and w, d, h, m or s, such as -1d.") % {
            "value": value[:40]
        }
    with suppress(OverflowError):
        if abs(_to_timedelta(shift)) <= MAX_SHIFT:
            return ""
    return _("the shift “%(value)s” is longer than 3,660 days.") % {"value": value}


def _time_unit_problem(value: str) -> str:
    return (
        ""
        if value in _UNIT_STARTS
        else _("“%(value)s” is not a valid unit; the units are: hour, day, week, month.") % {"value": value[:40]}
    )


def _zone_problem(value: str) -> str:
    try:
        zone(value)
    except ScheduleError as error:
        return str(error)
    return ""


def _to_timedelta(shift: re.Match[str]) -> dt.timedelta:
    return dt.timedelta(**{_TIME_UNIT_NAMES[shift["unit"]]: int(shift["number"])})


def _shift_moment(moment: dt.datetime, value: str) -> dt.datetime:
    """Weeks and days keep the wall-clock time; hours, minutes and seconds are real time."""
    shift = _SHIFT_PATTERN.match(value)
    assert shift is not None
    if shift["unit"] in "wd":
        return _moment_of_wall_time(moment.replace(tzinfo=None) + _to_timedelta(shift), moment.tzinfo)
    return (moment.astimezone(dt.UTC) + _to_timedelta(shift)).astimezone(moment.tzinfo)


def _moment_of_wall_time(wall: dt.datetime, tz: dt.tzinfo | None) -> dt.datetime:
    """The moment of a wall-clock time: the first of a repeated time; a skipped time moves later by the gap."""
    return wall.replace(tzinfo=tz, fold=0).astimezone(dt.UTC).astimezone(tz)


def _start_of_time_unit(moment: dt.datetime, value: str) -> dt.datetime:
    if value == "hour":  # the start of the real hour, also of a repeated one
        return moment.replace(minute=0, second=0, microsecond=0)
    return _moment_of_wall_time(
        _UNIT_STARTS[value](moment.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)), moment.tzinfo
    )


def _format_date(moment: dt.datetime, value: str) -> str:
    with translation.override("en"):  # a file has the same name, whatever the language of the worker
        return dateformat.format(moment, value)


#: The start of the unit, as wall-clock time, from a midnight. Weeks begin on Monday (ISO 8601).
_UNIT_STARTS: dict[str, Callable[[dt.datetime], dt.datetime]] = {
    "hour": lambda midnight: midnight,
    "day": lambda midnight: midnight,
    "week": lambda midnight: midnight - dt.timedelta(days=midnight.weekday()),
    "month": lambda midnight: midnight.replace(day=1),
}
_TIME_FILTERS: dict[str, Callable[[dt.datetime, str], dt.datetime]] = {
    "zone": lambda moment, value: moment.astimezone(zone(value)),
    "shift": _shift_moment,
    "start_of": _start_of_time_unit,
}
_TEXT_FILTERS: dict[str, Callable[[dt.datetime, str], str]] = {
    "date": _format_date,
    "iso": lambda moment, value: moment.isoformat(),
    "epoch": lambda moment, value: str(int(moment.timestamp())),
}
_VALUE_CHECKS = {"shift": _shift_problem, "start_of": _time_unit_problem, "zone": _zone_problem}
#: Each filter with an example of its value; empty: it takes none.
FILTER_EXAMPLES = {
    "date": "Y-m-d", "iso": "", "epoch": "", "zone": "UTC", "shift": "-1d", "start_of": "day", "default": "none",
}  # fmt: skip

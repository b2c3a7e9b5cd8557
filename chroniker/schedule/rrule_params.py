"""Parses the parameters of a recurrence rule: ``interval:15;byhour:7,8,9``."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from chroniker.exceptions import ScheduleError
from chroniker.schedule.spec import Frequency

Numbers = tuple[int, ...]
#: A day of the week (Monday is 0) and its number in the month or year: 1 the first, -1 the last, 0 every one.
Weekday = tuple[int, int]

WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: ``mo(+1)`` as in dateutil, ``1mo`` as in RFC 5545, ``mo``, ``mon`` or ``0``.
WEEKDAY_PATTERN = re.compile(r"^(?P<first>[+-]?\d{1,2})?(?P<name>[a-z]{2,9}|\d)(\((?P<nth>[+-]?\d{1,2})\))?$", re.ASCII)

#: In characters. A text with all values of all parameters is shorter.
MAX_RULE_PARAMETERS_LENGTH = 20_000
MAX_COUNT = 10_000
MAX_INTERVAL = 1_000_000


class ParameterRange(NamedTuple):
    low: int
    high: int
    negative: bool
    "Whether negative numbers count from the end."
    example: str


NUMBER_PARAMETERS = {
    "bysetpos": ParameterRange(1, 366, True, "bysetpos:-1"),
    "bymonth": ParameterRange(1, 12, False, "bymonth:1,7"),
    "bymonthday": ParameterRange(1, 31, True, "bymonthday:1,-1"),
    "byyearday": ParameterRange(1, 366, True, "byyearday:1,100"),
    "byweekno": ParameterRange(1, 53, True, "byweekno:1,27"),
    "byeaster": ParameterRange(0, 366, True, "byeaster:-2"),
    "byhour": ParameterRange(0, 23, False, "byhour:7,8,9"),
    "byminute": ParameterRange(0, 59, False, "byminute:0,30"),
    "bysecond": ParameterRange(0, 59, False, "bysecond:0,30"),
}
NON_NUMBER_PARAMETERS = ("interval", "count", "byweekday", "wkst")
#: Names in RFC 5545 for which dateutil uses other names.
PARAMETER_SYNONYMS = {"byday": "byweekday"}


@dataclass(frozen=True, slots=True)
class RecurrenceParams:
    """Valid parameters. An empty tuple means that the parameter is missing."""

    interval: int = 1
    count: int | None = None
    wkst: int = 0
    bysetpos: Numbers = ()
    bymonth: Numbers = ()
    bymonthday: Numbers = ()
    byyearday: Numbers = ()
    byweekno: Numbers = ()
    byeaster: Numbers = ()
    byweekday: tuple[Weekday, ...] = ()
    byhour: Numbers = ()
    byminute: Numbers = ()
    bysecond: Numbers = ()

    @property
    def selects_days(self) -> bool:
        return bool(self.bymonthday or self.byyearday or self.byweekno or self.byeaster or self.byweekday)

    @property
    def has_no_conditions(self) -> bool:
        """Whether there is no condition. Then all steps have the same length."""
        return not (self.selects_days or self.bymonth or self.bysetpos or self.byhour or self.byminute or self.bysecond)


def parse_recurrence_params(frequency: str, text: str) -> RecurrenceParams:
    """The parameters in ``text``. Raises ``ScheduleError`` about the invalid one."""
    if len(text) > MAX_RULE_PARAMETERS_LENGTH:
        message = _("The parameters have %(n)d characters; at most %(max)d are allowed.")
        raise _params_error(message % {"n": len(text), "max": MAX_RULE_PARAMETERS_LENGTH})
    found: dict[str, object] = {}
    for pair in re.split(r"[;\n]", text):
        if not pair.strip():
            continue
        key, values = _split_parameter(pair)
        if key in found:
            raise _params_error(
                _("“%(key)s” is given twice: write it once, with commas between several values, as in “byhour:7,8,9”.")
                % {"key": key}
            )
        found[key] = _parse_values(frequency, key, values)
    return RecurrenceParams(**found)  # type: ignore[arg-type]  # _parse_values gives each key its type


def _split_parameter(text: str) -> tuple[str, list[str]]:
    key, colon, values = (part.strip().lower() for part in text.partition(":"))
    if not colon or not values:
        raise _params_error(
            _("“%(text)s” is not a parameter: write parameters as in “interval:15;byhour:7,8,9”.")
            % {"text": text.strip()}
        )
    key = PARAMETER_SYNONYMS.get(key, key)
    if key not in NUMBER_PARAMETERS and key not in NON_NUMBER_PARAMETERS:
        raise _params_error(_unknown_key_message(key))
    return key, [value.strip() for value in values.split(",")]


def _unknown_key_message(key: str) -> str:
    instead = {
        "until": _("the end date"),
        "dtstart": _("the start date"),
        "tzid": _("the time zone"),
        "freq": _("the frequency"),
        "rrule": _("the frequency"),
    }
    if key in instead:
        return _("“%(key)s” is not a parameter here: set %(field)s of the schedule instead.") % {
            "key": key,
            "field": instead[key],
        }
    known = [*NON_NUMBER_PARAMETERS, *NUMBER_PARAMETERS]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = (
        _("did you mean “%(near)s”?") % {"near": near[0]}
        if near
        else _("the parameters are %(known)s.") % {"known": ", ".join(known)}
    )
    return _("“%(key)s” is not a parameter: %(hint)s") % {"key": key, "hint": hint}


def _parse_values(frequency: str, key: str, values: list[str]) -> object:
    if key in NUMBER_PARAMETERS:
        return tuple(sorted({_parse_signed_number(key, value) for value in values}))
    if key == "byweekday":
        return tuple(sorted({_parse_weekday(frequency, key, value) for value in values}))
    if len(values) > 1:
        raise _params_error(_("“%(key)s” takes one value, not “%(value)s”.") % {"key": key, "value": ",".join(values)})
    if key == "wkst":
        return _parse_weekday(Frequency.WEEKLY, key, values[0])[0]
    return _parse_positive_number(key, values[0], MAX_COUNT if key == "count" else MAX_INTERVAL)


def _parse_signed_number(key: str, text: str) -> int:
    rule = NUMBER_PARAMETERS[key]
    number = int(text) if re.fullmatch(r"[+-]?\d{1,3}", text, re.ASCII) else None
    if number is None or not rule.low <= (abs(number) if rule.negative else number) <= rule.high:
        template = (
            _(
                "“%(text)s” is not a value of “%(key)s” (%(low)d to %(high)d; negative numbers count "
                "backwards): write it as in “%(example)s”."
            )
            if rule.negative
            else _("“%(text)s” is not a value of “%(key)s” (%(low)d to %(high)d): write it as in “%(example)s”.")
        )
        raise _params_error(
            template % {"text": text, "key": key, "low": rule.low, "high": rule.high, "example": rule.example}
        )
    return number


def _parse_positive_number(key: str, text: str, high: int) -> int:
    number = int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else 0
    if not 1 <= number <= high:
        raise _params_error(
            _("“%(text)s” is not a value of “%(key)s” (1 to %(high)d): write it as in “%(key)s:15”.")
            % {"text": text, "key": key, "high": high}
        )
    return number


def _parse_weekday(frequency: str, key: str, text: str) -> Weekday:
    match = WEEKDAY_PATTERN.match(text)
    day = _day_number(match["name"]) if match else None
    if match is None or day is None or (match["first"] and match["nth"]):
        raise _params_error(
            _("“%(text)s” is not a day for “%(key)s”: write “mo”, “tu”, … or 0 (Monday) to 6 (Sunday).")
            % {"text": text, "key": key}
        )
    nth = int(match["nth"] or match["first"] or 0)
    if (match["nth"] or match["first"]) and not (
        1 <= abs(nth) <= 53 and frequency in (Frequency.YEARLY, Frequency.MONTHLY)
    ):
        raise _params_error(
            _(
                "“%(text)s”: the n-th weekday of a month or year needs the frequency “monthly” or “yearly”, and is "
                "written “mo(+1)” or “fr(-1)”."
            )
            % {"text": text}
        )
    return day, nth


def _day_number(name: str) -> int | None:
    if name.isdigit():
        return int(name) if int(name) <= 6 else None
    return next((number for number, full in enumerate(WEEKDAY_NAMES) if full.startswith(name)), None)


def _params_error(message: str) -> ScheduleError:
    return ScheduleError("params", message)

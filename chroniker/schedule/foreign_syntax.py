"""Messages for cron syntax of other schedulers, with the equivalent that is supported."""

from __future__ import annotations

import re
from typing import Protocol

from django.utils.dates import WEEKDAYS
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from chroniker.schedule.zone_suggestions import is_known_zone

ZONE_PREFIX_PATTERN = re.compile(r"^\s*(?:CRON_)?TZ\s*=", re.IGNORECASE | re.ASCII)
INVISIBLE_SPACE_PATTERN = re.compile(
    "[\u0085\u00a0\u00ad\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]"
)
#: Jenkins' ``H``, croniter's ``R`` and OpenBSD's ``1~30``.
RANDOM_TIME_PATTERN = re.compile(r"^[hr](\(.*)?(/.*)?$|^\w*~\w*(/.*)?$", re.IGNORECASE | re.ASCII)
LAST_WEEKDAY_PATTERN = re.compile(r"^([0-7]|sun|mon|tue|wed|thu|fri|sat)l$", re.IGNORECASE | re.ASCII)
DAYS_BEFORE_LAST_PATTERN = re.compile(r"^l-(\d{1,2})$", re.IGNORECASE | re.ASCII)
LAST_WORKING_DAY_PATTERN = re.compile(r"^(lw|wl)$", re.IGNORECASE)
NEAREST_WORKING_DAY_PATTERN = re.compile(r"\dw|w\d", re.IGNORECASE | re.ASCII)
WEEKDAY_ABBREVIATIONS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
DAY_POSITION, WEEKDAY_POSITION = 3, 5


class DescribedCronField(Protocol):
    @property
    def name(self) -> Promise: ...

    @property
    def example(self) -> str: ...


def foreign_expression_message(text: str) -> str | None:
    """Return a message about a time zone in the expression, or about a character that looks like a space; else None."""
    if ZONE_PREFIX_PATTERN.match(text):
        return _("“%(text)s”: the time zone is not part of the expression. Set the time zone of the schedule.") % {
            "text": text
        }
    if found := INVISIBLE_SPACE_PATTERN.search(text):
        return _("The expression contains the invisible character U+%(code)04X. Replace it with an ordinary space.") % {
            "code": ord(found[0])
        }
    fields = text.split()
    if len(fields) > 5 and is_known_zone(fields[-1]):
        return _(
            "“%(zone)s” at the end: the time zone is not part of the expression. Set the time zone of the schedule."
        ) % {"zone": fields[-1]}
    return None


def random_time_message(part: str, field: DescribedCronField) -> str:
    return _(
        "“%(part)s” (hashed or random times) is not supported: give the %(field)s as in “%(example)s”, and set "
        "a jitter to spread the jobs."
    ) % {"part": part, "field": field.name, "example": field.example}


def foreign_part_message(part: str, position: int) -> str | None:
    """Return a message about a part of a field that is valid in another scheduler; None if it is not known there."""
    if position == WEEKDAY_POSITION and (match := LAST_WEEKDAY_PATTERN.match(part)):
        day = (
            WEEKDAY_ABBREVIATIONS.index(match[1].lower())
            if match[1].lower() in WEEKDAY_ABBREVIATIONS
            else int(match[1]) % 7
        )
        return _("For the last %(weekday)s of the month write “L%(day)d”, not “%(part)s”.") % {
            "weekday": WEEKDAYS[(day - 1) % 7],
            "day": day,
            "part": part,
        }
    if position != DAY_POSITION:
        return None
    if match := DAYS_BEFORE_LAST_PATTERN.match(part):
        return _(
            "“%(part)s” is not supported in a cron expression: use the frequency “monthly” with “bymonthday:-%(n)d”."
        ) % {"part": part, "n": int(match[1]) + 1}
    if LAST_WORKING_DAY_PATTERN.match(part):
        return _(
            "“%(part)s” (last working day) is not supported in a cron expression: use the frequency “monthly” with "
            "“byweekday:mo,tu,we,th,fr;bysetpos:-1”."
        ) % {"part": part}
    if NEAREST_WORKING_DAY_PATTERN.search(part):
        return _("“%(part)s”: “W” is allowed only with a single day of the month (1 to 31), as in “0 9 15W * *”.") % {
            "part": part
        }
    return None

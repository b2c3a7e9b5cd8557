"""Reading a cron expression, up to where croniter takes over, and finding the part that croniter refuses.

Five fields as in crontab(5): minute, hour, day of month, month, day of week. With six, seconds stand *first*, as in
Quartz and Spring, so that the five after them read as always. Refused, although croniter takes them, is what would not
be stable (``R``), what needs a name to hash (``H``), and what croniter reads otherwise than people and crontab do.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from croniter import CroniterError, croniter
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.exceptions import ScheduleError

MAX_LENGTH = 255

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

#: What croniter raises on bad text; only the first is its own, the others come from its inside.
REFUSALS = (CroniterError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError)


class Field(NamedTuple):
    name: Promise
    low: int
    high: int
    example: str
    "Of the whole expression."


FIELDS = (
    Field(gettext_lazy("second"), 0, 59, "*/10 * * * * *"),
    Field(gettext_lazy("minute"), 0, 59, "*/15 * * * *"),
    Field(gettext_lazy("hour"), 0, 23, "0 9-17 * * *"),
    Field(gettext_lazy("day of the month"), 1, 31, "0 3 1,15 * *"),
    Field(gettext_lazy("month"), 1, 12, "0 3 1 jan,jul *"),
    Field(gettext_lazy("day of the week"), 0, 7, "0 3 * * mon-fri"),
)
DAY, WEEKDAY = 3, 5
#: Second, minute, hour: their steps start anew with each minute, hour, day.
SHORT_FIELDS = (0, 1, 2)

HASHED = re.compile(r"^[hr](\(.*)?(/.*)?$", re.IGNORECASE)
EQUAL_RANGE = re.compile(r"^(\w+)-\1(/.*)?$", re.IGNORECASE | re.ASCII)


def read(text: str) -> tuple[str, ...]:
    """The six fields of an expression in lower case, seconds first, or a ``ScheduleError`` about the wrong part."""
    if not isinstance(text, str) or not text.strip():
        raise _error(_("A cron expression is needed, for example “0 3 * * *” for every day at 03:00."))
    if len(text) > MAX_LENGTH:
        raise _error(
            _("The expression has %(n)d characters; at most %(max)d are allowed.") % {"n": len(text), "max": MAX_LENGTH}
        )
    fields = _split(text.strip())
    for field, token in zip(FIELDS, fields, strict=True):
        for part in token.split(","):
            _refuse(field, part)
    try:
        croniter.expand(" ".join(fields), strict=True, second_at_beginning=True)
    except REFUSALS as error:
        raise _blame(text, fields) from error
    return tuple(field.lower() for field in fields)


def _split(text: str) -> tuple[str, ...]:
    if text.startswith("@"):
        text = _alias(text)
    # Only ASCII blanks part fields, as in cron: a no-break space is part of a (wrong) field, and is shown as such.
    fields = re.findall(r"\S+", text, re.ASCII)
    if len(fields) not in (5, 6):
        raise _error(
            _(
                "“%(text)s” has %(n)d fields; write five (minute, hour, day, month, day of the week: “30 3 * * mon”), "
                "or six with the second first (“0 30 3 * * mon”)."
            )
            % {"text": text, "n": len(fields)}
        )
    return tuple(fields) if len(fields) == 6 else ("0", *fields)


def _alias(text: str) -> str:
    name = text.lower()
    if name in ALIASES:
        return ALIASES[name]
    if name.startswith("@every"):
        example = _("for every five minutes write “*/5 * * * *”")
    elif name.startswith("@reboot"):
        example = _("a schedule has no reboot; write a time, like “@daily” or “0 3 * * *”")
    else:
        example = _("there is %(known)s") % {"known": ", ".join(ALIASES)}
    raise _error(_("“%(text)s” is not known here: %(example)s.") % {"text": text, "example": example})


def _refuse(field: Field, part: str) -> None:
    if HASHED.match(part):
        raise _error(
            _(
                "“%(part)s” (hashed or random times) is not supported: give the %(field)s as in “%(example)s”, "
                "and spread jobs by their jitter."
            )
            % {"part": part, "field": field.name, "example": field.example}
        )
    if EQUAL_RANGE.match(part):
        single = part.partition("-")[0]
        raise _error(
            _("“%(part)s” is a range from a value to itself: write “%(single)s” for this %(field)s, or “*” for every.")
            % {"part": part, "single": single, "field": field.name}
        )


def _blame(text: str, fields: tuple[str, ...]) -> ScheduleError:
    for position, field in enumerate(FIELDS):
        for part in [*fields[position].split(","), fields[position]]:
            if not _accepts(position, part):
                return _error(
                    _message(field, part)
                    % {
                        "part": part,
                        "field": field.name,
                        "low": field.low,
                        "high": field.high,
                        "example": field.example,
                    }
                )
    return _error(
        _("“%(text)s” cannot be: no month it names has a day “%(day)s”. For the end of each month write “0 3 L * *”.")
        % {"text": text, "day": fields[DAY]}
    )


def _message(field: Field, part: str) -> str:
    if part == "":
        return _("A part of the %(field)s is empty: write numbers with a comma between, as in “%(example)s”.")
    return _("“%(part)s” is no %(field)s (%(low)d to %(high)d): write it as in “%(example)s”.")


def _accepts(position: int, part: str) -> bool:
    try:
        values_of(position, part or "-")
    except REFUSALS:
        return False
    return True


def values_of(position: int, part: str) -> list[int | str]:
    """What croniter makes of one field, or of a part of it, alone. Raises whatever croniter does."""
    alone = ["*"] * len(FIELDS)
    alone[position] = part
    expanded, _nth = croniter.expand(" ".join(alone), second_at_beginning=True)
    values: list[int | str] = expanded[(position - 1) % len(FIELDS)]  # croniter has the seconds last
    return values


def _error(message: str) -> ScheduleError:
    return ScheduleError("cron", message)

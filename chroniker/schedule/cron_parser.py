"""Parses and validates cron expressions. croniter expands the fields; this module finds the part that is invalid.

Five fields as in crontab(5): minute, hour, day of the month, month, day of the week. With six fields the *first* one is
the second, as in Quartz and Spring. Some syntax of croniter is refused: ``R`` and ``H``, whose times are random or
depend on a name, and everything that croniter reads differently from crontab(5).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from croniter import CroniterError, croniter
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.exceptions import ScheduleError
from chroniker.schedule import foreign_syntax

MAX_CRON_EXPRESSION_LENGTH = 255

CRON_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

#: What croniter raises for invalid text. Only the first is its own exception.
CRONITER_ERRORS = (CroniterError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError)


class FieldDefinition(NamedTuple):
    name: Promise
    low: int
    high: int
    example: str
    "A whole expression."


CRON_FIELDS = (
    FieldDefinition(gettext_lazy("second"), 0, 59, "*/10 * * * * *"),
    FieldDefinition(gettext_lazy("minute"), 0, 59, "*/15 * * * *"),
    FieldDefinition(gettext_lazy("hour"), 0, 23, "0 9-17 * * *"),
    FieldDefinition(gettext_lazy("day of the month"), 1, 31, "0 3 1,15 * *"),
    FieldDefinition(gettext_lazy("month"), 1, 12, "0 3 1 jan,jul *"),
    FieldDefinition(gettext_lazy("day of the week"), 0, 7, "0 3 * * mon-fri"),
)
DAY_POSITION, WEEKDAY_POSITION = 3, 5
#: Second, minute, hour: their steps restart with each minute, hour, day.
TIME_FIELD_POSITIONS = (0, 1, 2)

SAME_START_AND_END_PATTERN = re.compile(r"^(\w+)-\1(/.*)?$", re.IGNORECASE | re.ASCII)


def parse_fields(text: str) -> tuple[str, ...]:
    """The six fields of an expression in lower case, seconds first. Raises ``ScheduleError`` about the invalid part."""
    if not isinstance(text, str) or not text.strip():
        raise _cron_error(_("A cron expression is needed, for example “0 3 * * *” for every day at 03:00."))
    if len(text) > MAX_CRON_EXPRESSION_LENGTH:
        raise _cron_error(
            _("The expression has %(n)d characters; at most %(max)d are allowed.")
            % {"n": len(text), "max": MAX_CRON_EXPRESSION_LENGTH}
        )
    try:
        # A character may look like a space.
        if not text.isascii() and (message := foreign_syntax.foreign_expression_message(text)):
            raise _cron_error(message)
        return _split_and_validate(text)
    except ScheduleError as error:
        if message := foreign_syntax.foreign_expression_message(text):
            raise _cron_error(message) from error
        raise


def _split_and_validate(text: str) -> tuple[str, ...]:
    fields = _split_fields(text.strip())
    for field, token in zip(CRON_FIELDS, fields, strict=True):
        for part in token.split(","):
            _refuse_misread_syntax(field, part)
    try:
        # croniter's strict mode refuses days that no month has. With "day OR weekday" they are valid: weekdays fire.
        croniter.expand(" ".join(fields), strict=not is_one_matching_day_field_enough(fields), second_at_beginning=True)
    except CRONITER_ERRORS as error:
        raise _make_invalid_part_error(text, fields) from error
    return tuple(field.lower() for field in fields)


def is_one_matching_day_field_enough(fields: tuple[str, ...]) -> bool:
    """Whether one matching day field is enough for a day to match. It is, if neither field begins with a star."""
    return not any(fields[position].startswith(("*", "?")) for position in (DAY_POSITION, WEEKDAY_POSITION))


def _split_fields(text: str) -> tuple[str, ...]:
    if text.startswith("@"):
        text = _resolve_alias(text)
    fields = re.findall(r"\S+", text, re.ASCII)
    if len(fields) not in (5, 6):
        raise _cron_error(
            _(
                "“%(text)s” has the wrong number of fields (%(n)d); write five (minute, hour, day, month, day "
                "of the week: “30 3 * * mon”), or six that begin with the seconds (“0 30 3 * * mon”)."
            )
            % {"text": text, "n": len(fields)}
        )
    return tuple(fields) if len(fields) == 6 else ("0", *fields)


def _resolve_alias(text: str) -> str:
    name = text.lower()
    if name in CRON_ALIASES:
        return CRON_ALIASES[name]
    if name.startswith("@every"):
        hint = _("write a cron expression, for example “*/5 * * * *” for every five minutes")
    elif name.startswith("@reboot"):
        hint = _("a schedule cannot fire at reboot; write a time, for example “@daily” or “0 3 * * *”")
    else:
        hint = _("write one of %(known)s") % {"known": ", ".join(CRON_ALIASES)}
    raise _cron_error(_("“%(text)s” is not supported: %(hint)s.") % {"text": text, "hint": hint})


def _refuse_misread_syntax(field: FieldDefinition, part: str) -> None:
    """Refuse syntax that croniter accepts, but with a result that differs between hosts or surprises people."""
    if foreign_syntax.RANDOM_TIME_PATTERN.match(part):
        raise _cron_error(foreign_syntax.random_time_message(part, field))
    if SAME_START_AND_END_PATTERN.match(part):
        single = part.partition("-")[0]
        raise _cron_error(
            _(
                "“%(part)s” is a range from a value to itself: write “%(single)s” for this %(field)s, or “*” for "
                "every value."
            )
            % {"part": part, "single": single, "field": field.name}
        )


def _make_invalid_part_error(text: str, fields: tuple[str, ...]) -> ScheduleError:
    for position, field in enumerate(CRON_FIELDS):
        for part in [*fields[position].split(","), fields[position]]:
            if not _is_accepted(position, part):
                return _cron_error(foreign_syntax.foreign_part_message(part, position) or _range_message(field, part))
    return _cron_error(
        _(
            "“%(text)s” never fires: none of its months has a day “%(day)s”. For the end of each month write “0 3 "
            "L * *”."
        )
        % {"text": text, "day": fields[DAY_POSITION]}
    )


def _range_message(field: FieldDefinition, part: str) -> str:
    if part == "":
        template = _("A part of the %(field)s is empty: write numbers separated by commas, as in “%(example)s”.")
    else:
        template = _("“%(part)s” is not a valid %(field)s (%(low)d to %(high)d): write it as in “%(example)s”.")
    names = {"field": field.name, "low": field.low, "high": field.high, "example": field.example}
    return template % {"part": part, **names}


def _is_accepted(position: int, part: str) -> bool:
    try:
        expand_part(position, part or "-")
    except CRONITER_ERRORS:
        return False
    return True


def expand_part(position: int, part: str) -> list[int | str]:
    """The values of one field, or of a part of it; ``["*"]`` for all values. Raises one of ``CRONITER_ERRORS``."""
    fields = ["*"] * len(CRON_FIELDS)
    fields[position] = part
    expanded, _nth = croniter.expand(" ".join(fields), second_at_beginning=True)
    values: list[int | str] = expanded[(position - 1) % len(CRON_FIELDS)]  # croniter has the seconds last
    return values


def _cron_error(message: str) -> ScheduleError:
    return ScheduleError("cron", message)

"""Placeholders in arguments, raw commands and variables: `{{ scheduled_for|date:"Y-m-d" }}`. Found and filled in.

A small language: names, and filters with a constant. No tags, no attributes, no calls. `{{` before any other word, and
`{{{{`, which stands for `{{`, are plain text. A value is put into a line after that was split into words, so that it
never becomes two words. The filters are in `placeholder_filters`.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from chroniker.exceptions import CommandRefused, ScheduleError
from chroniker.job_commands import placeholder_filters
from chroniker.job_commands.placeholder_filters import PlaceholderFilter
from chroniker.process.run_variables import CurrentRun
from chroniker.schedule.zones import zone

#: The value of each name. Times are in the time zone of the job; None: there is no such time.
Values = Mapping[str, "dt.datetime | str | None"]

TIME_PLACEHOLDER_NAMES = ("scheduled_for", "covered_until", "interval_start", "last_success")
PLACEHOLDER_NAMES = (*TIME_PLACEHOLDER_NAMES, "job", "job_id", "run_id", "token", "attempt", "trigger", "host")
#: How many placeholders a field may have, and how many characters a word whose placeholders are filled in.
MAX_PLACEHOLDERS, MAX_WORD_LENGTH = 50, 8192

#: Stands for a placeholder in a text, with its number added.
_FIRST_MARK_CODE_POINT = 0xE000
_MARK_PATTERN = re.compile(f"[{chr(_FIRST_MARK_CODE_POINT)}-{chr(_FIRST_MARK_CODE_POINT + MAX_PLACEHOLDERS - 1)}]")
_ESCAPED_OPENING_BRACES, _OPENING_BRACES = "{{{{", "{{"
_PLACEHOLDER_BEGIN_PATTERN = re.compile(r"\{\{\{\{|\{\{\s*(?P<name>" + "|".join(PLACEHOLDER_NAMES) + r")\s*(?=\||\}\})")
_PLACEHOLDER_END_PATTERN = re.compile(r"\s*\}\}")
_LOOKALIKE_PATTERN = re.compile(r"\{\{\s*(?P<name>[A-Za-z_]{3,40})\s*(?=\||\}\})")


@dataclass(frozen=True, slots=True)
class Placeholder:
    name: str
    filters: tuple[PlaceholderFilter, ...]

    def value(self, values: Values) -> str:
        """Raises ``CommandRefused`` if there is no value and no default."""
        found = values.get(self.name)
        for each in self.filters:
            found = each.apply(found)
        if found is None:
            text = _('{{ %(name)s }} has no value for this run. Write {{ %(name)s|default:"…" }} to allow that.')
            raise CommandRefused(text % {"name": self.name})
        return found.isoformat() if isinstance(found, dt.datetime) else found


def extract_placeholders(text: str) -> tuple[str, list[Placeholder]]:
    """The text with one private-use character for each placeholder, and the placeholders in this order.

    Raises ``CommandRefused`` for a placeholder that cannot be read, and for too many of them.
    """
    if _OPENING_BRACES not in text:
        return text, []
    parts, found, position = list[str](), list[Placeholder](), 0
    while (begin := _PLACEHOLDER_BEGIN_PATTERN.search(text, position)) is not None:
        parts.append(text[position : begin.start()])
        position = begin.end()
        if begin["name"] is None:
            parts.append(_OPENING_BRACES)
            continue
        filters, position = placeholder_filters.read_filters(
            text, position, begin["name"], is_time=begin["name"] in TIME_PLACEHOLDER_NAMES
        )
        end = _PLACEHOLDER_END_PATTERN.match(text, position)
        if end is None:
            raise _unreadable_error(text[begin.start() : position + 20])
        parts.append(chr(_FIRST_MARK_CODE_POINT + len(found)))
        found.append(Placeholder(begin["name"], filters))
        position = end.end()
        if len(found) > MAX_PLACEHOLDERS:
            raise CommandRefused(_("There are more than %(n)d placeholders.") % {"n": MAX_PLACEHOLDERS})
    if found and _MARK_PATTERN.search(text):
        raise CommandRefused(_("A text with placeholders cannot contain the characters U+E000 to U+E031."))
    return "".join([*parts, text[position:]]), found


def has_placeholder_mark(word: str) -> bool:
    """Whether this word of a text from ``extract_placeholders`` contains a placeholder."""
    return _MARK_PATTERN.search(word) is not None


def fill_word(word: str, placeholders: Sequence[Placeholder], values: Values) -> str:
    """Fill in a word of a text from ``extract_placeholders``. Raises ``CommandRefused`` if it becomes too long."""
    if not placeholders:
        return word
    filled = _MARK_PATTERN.sub(lambda mark: placeholders[ord(mark[0]) - _FIRST_MARK_CODE_POINT].value(values), word)
    if len(filled) > MAX_WORD_LENGTH:
        text = _(
            "An argument or value has %(n)d characters after its placeholders are filled in; "
            "at most %(max)d are allowed."
        )
        raise CommandRefused(text % {"n": len(filled), "max": MAX_WORD_LENGTH})
    return filled


def fill(text: str, values: Values) -> str:
    """A text that is not split into words, with its values."""
    marked, found = extract_placeholders(text)
    return fill_word(marked, found, values)


def escape(text: str) -> str:
    """``text`` with its braces escaped, so that it has no placeholders: for commands of other schedulers."""
    return _PLACEHOLDER_BEGIN_PATTERN.sub(
        lambda begin: begin[0].replace(_OPENING_BRACES, _ESCAPED_OPENING_BRACES), text
    )


def placeholder_warnings(*texts: str) -> list[str]:
    """Warnings about words in braces that look like placeholders but are none."""
    found = []
    for text in texts:
        for word in _LOOKALIKE_PATTERN.finditer(_PLACEHOLDER_BEGIN_PATTERN.sub("", text)):
            if near := difflib.get_close_matches(word["name"].lower(), PLACEHOLDER_NAMES, n=1, cutoff=0.75):
                message = _("{{ %(word)s }} is not a placeholder and stays as it is. Did you mean {{ %(near)s }}?")
                found.append(message % {"word": word["name"], "near": near[0]})
    return found


def placeholder_values_of_run(run: CurrentRun, host: str) -> Values:
    """The values for a run. Raises ``CommandRefused`` if this host does not know the time zone."""
    try:
        local = zone(run.timezone)
    except ScheduleError as error:
        raise CommandRefused(str(error)) from error
    times = {name: getattr(run, name) for name in TIME_PLACEHOLDER_NAMES}
    return {
        **{name: moment.astimezone(local) if moment else None for name, moment in times.items()},
        "job": run.job_name.replace("\0", ""),
        "job_id": str(run.job_id),
        "run_id": str(run.run_id),
        "token": str(run.token),
        "attempt": str(run.attempt),
        "trigger": run.trigger,
        "host": host,
    }


def _unreadable_error(text: str) -> CommandRefused:
    message = _('The placeholder at “%(text)s” is not valid. Write it like {{ scheduled_for|date:"Y-m-d" }}.')
    hint = _("To write two braces as plain text, write four.")
    return CommandRefused(message % {"text": text[:60]} + " " + hint)


_SAMPLE_TIME = dt.datetime(2026, 1, 1, 3, tzinfo=dt.UTC)
#: Values for the validation of a job, when there is no run.
SAMPLE_VALUES = placeholder_values_of_run(
    CurrentRun(1, "job", "UTC", UUID(int=0), 1, 1, "SCHEDULE", _SAMPLE_TIME, _SAMPLE_TIME, _SAMPLE_TIME, _SAMPLE_TIME),
    "host",
)

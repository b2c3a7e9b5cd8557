"""Parses a crontab(5), of a user or of the system, whose lines name a user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

ASSIGNMENT_LINE_PATTERN = re.compile(
    r"""^\s*(?P<quote>["']?)(?P<name>[A-Za-z_]\w*)(?P=quote)\s*=\s*(?P<value>.*?)\s*$"""
)
SCHEDULE_FIELD_COUNT = 5
#: Names that are not in crontab(5) but known to some versions of cron.
NONSTANDARD_SCHEDULE_NAMES = {"@every_minute": "* * * * *"}
CRON_FIELD_PATTERN = re.compile(r"[\d*][\d*,/~a-z-]*", re.IGNORECASE | re.ASCII)
#: The line above the columns in a new crontab.
COLUMN_HEADER_PATTERN = re.compile(r"\b(m|min\w*)\s+(h|hour)\w*\s+(dom|day|mday)\b", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class CrontabEntry:
    """One line with a command. ``schedule`` is empty if the line is not valid."""

    number: int
    schedule: str
    command: str
    #: The text after the first unescaped ``%``: lines for the standard input of the command.
    stdin: tuple[str, ...] = ()
    user: str = ""
    #: The variables that were set above it.
    variables: Mapping[str, str] = field(default_factory=dict)
    #: The text of the comment directly above it.
    comment: str = ""

    @property
    def cron_expression(self) -> str:
        return NONSTANDARD_SCHEDULE_NAMES.get(self.schedule, self.schedule)


def parse_entries(text: str, *, system: bool) -> Iterator[CrontabEntry]:
    """The entries in order. With ``system``, each line names the user between its schedule and its command."""
    variables: dict[str, str] = {}
    comment: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("#"):
            words = stripped.lstrip("#").strip()
            comment = [*comment, words] if _is_description(words) else []
        elif match := ASSIGNMENT_LINE_PATTERN.match(line):
            variables[match["name"]] = _remove_quotes(match["value"])
            comment = []
        else:
            if stripped:
                yield _parse_entry(number, stripped.removeprefix("-"), system, dict(variables), " ".join(comment))
            comment = []


def _parse_entry(number: int, line: str, system: bool, variables: Mapping[str, str], comment: str) -> CrontabEntry:
    fields = 1 if line.startswith("@") else SCHEDULE_FIELD_COUNT
    parts = line.split(None, fields + system)
    if len(parts) <= fields + system:
        return CrontabEntry(number, "", line)
    user = parts[fields] if system else ""
    command, *stdin = _split_at_percent(parts[-1])
    return CrontabEntry(number, " ".join(parts[:fields]), command.strip(), tuple(stdin), user, variables, comment)


def _is_description(comment: str) -> bool:
    """False for a commented-out entry, a variable, a column header or a decoration."""
    if (
        not re.search(r"\w{2}", comment)
        or COLUMN_HEADER_PATTERN.search(comment)
        or ASSIGNMENT_LINE_PATTERN.match(comment)
    ):
        return False
    words = comment.split()
    is_entry = len(words) > SCHEDULE_FIELD_COUNT and all(
        CRON_FIELD_PATTERN.fullmatch(word) for word in words[: SCHEDULE_FIELD_COUNT - 2]
    )
    return not is_entry and not comment.startswith("@")


def _split_at_percent(text: str) -> list[str]:
    r"""The parts between ``%`` characters; ``\%`` is an ordinary character."""
    return [part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", text)]


def _remove_quotes(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value

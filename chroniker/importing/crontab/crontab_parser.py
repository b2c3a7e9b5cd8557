"""Reading a crontab(5): of a user, or of the system, whose lines name one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

ASSIGNMENT = re.compile(r"""^\s*(?P<quote>["']?)(?P<name>[A-Za-z_]\w*)(?P=quote)\s*=\s*(?P<value>.*?)\s*$""")
FIELDS = 5
#: What some crons know beside crontab(5)'s own names.
OTHER_NAMES = {"@every_minute": "* * * * *"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line that runs something. ``schedule`` is empty where the line was not understood."""

    number: int
    schedule: str
    command: str
    #: What follows the first unescaped ``%``: lines for the command's standard input.
    stdin: tuple[str, ...] = ()
    user: str = ""
    #: The variables that were set above it.
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def cron(self) -> str:
        return OTHER_NAMES.get(self.schedule, self.schedule)


def entries(text: str, *, system: bool) -> Iterator[Entry]:
    """The entries in order; with ``system`` each names the user between its schedule and its command."""
    variables: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if match := ASSIGNMENT.match(line):
            variables[match["name"]] = _unquoted(match["value"])
        else:
            yield _entry(number, line.strip().removeprefix("-"), system, dict(variables))


def _entry(number: int, line: str, system: bool, variables: Mapping[str, str]) -> Entry:
    fields = 1 if line.startswith("@") else FIELDS
    parts = line.split(None, fields + system)
    if len(parts) <= fields + system:
        return Entry(number, "", line)
    user = parts[fields] if system else ""
    command, *stdin = _lines(parts[-1])
    return Entry(number, " ".join(parts[:fields]), command.strip(), tuple(stdin), user, variables)


def _lines(text: str) -> list[str]:
    r"""Parted at each ``%``; ``\%`` is the character itself."""
    return [part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", text)]


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value

"""Shared by the import commands: their options and their report."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from django.core.management import CommandError
from django.core.management.base import CommandParser

from chroniker.escaping import to_one_line
from chroniker.exceptions import ImportRefused
from chroniker.importing import ImportCandidate, report
from chroniker.management.console import SYSTEM_CHECK_TAGS, explain_database_errors
from chroniker.management.terminal import ConsoleCommand
from chroniker.models.audit import command_actor


class ImportCommand(ConsoleCommand):
    """A command that imports jobs and prints each one as it is in the other scheduler and here."""

    requires_system_checks = SYSTEM_CHECK_TAGS

    @property
    def actor(self) -> str:
        """The actor of the entries in the audit: this command, and the user of the system."""
        return command_actor(type(self).__module__.rpartition(".")[2])

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print what would be imported; write nothing")
        parser.add_argument("--disabled", action="store_true", help="import all jobs disabled")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def write_lines(self, sentences: Sequence[str]) -> None:
        for sentence in sentences:
            self.stdout.write(to_one_line(sentence))

    def write_report(self, candidates: Sequence[ImportCandidate], now: dt.datetime, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(report.report_records(candidates, now), indent=1, ensure_ascii=False))
            return
        self.write_lines(list(report.report_lines(candidates, now)))


@contextmanager
def explain_import_refusals() -> Iterator[None]:
    """Turns an unusable file or an unreachable database into an error message without a traceback."""
    with explain_database_errors():
        try:
            yield
        except ImportRefused as refusal:
            raise CommandError(str(refusal)) from refusal


def parse_time_zone(name: str) -> str:
    """The type of an argument that names a time zone."""
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name}; write it like Europe/Paris") from error

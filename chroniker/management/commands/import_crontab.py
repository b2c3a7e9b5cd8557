from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from chroniker.clock.database_clock import database_now
from chroniker.exceptions import ImportRefused
from chroniker.importing import ImportOutcome, save_candidates
from chroniker.importing.crontab.crontab_parser import parse_entries
from chroniker.importing.crontab.jobs import CronProgram, ImportOptions, candidates_of_entries
from chroniker.importing.crontab.this_machine import machine_time_zone, own_manage_files
from chroniker.management.importing import ImportCommand, explain_import_refusals, parse_time_zone


class Command(ImportCommand):
    help = (
        "Imports the lines of a crontab as jobs: management commands if they run this project's manage.py, otherwise "
        "raw commands. Prints the schedule of each line in cron and here. May be repeated: imported jobs do not change."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", help="the output of “crontab -l”; - reads standard input")
        parser.add_argument("--system", action="store_true", help="each line names a user, as in /etc/crontab")
        parser.add_argument(
            "--timezone",
            type=parse_time_zone,
            metavar="ZONE",
            help="the time zone of cron; default: that of this machine",
        )
        parser.add_argument(
            "--manage-py",
            action="append",
            default=[],
            metavar="PATH",
            help="the path of this project's manage.py in the crontab, if it is another one than here",
        )
        parser.add_argument(
            "--cron",
            type=CronProgram,
            choices=list(CronProgram),
            help="the program that reads the crontab; needed if it sets CRON_TZ, which only cronie uses",
        )

    def handle(self, *, file: str, system: bool, dry_run: bool, disabled: bool, **options: Any) -> None:
        with explain_import_refusals():
            import_options = ImportOptions(
                database_now(),
                options["timezone"] or machine_time_zone(),
                own_manage_files(options["manage_py"]),
                options["cron"],
            )
            found = candidates_of_entries(parse_entries(_read_crontab(file), system=system), import_options)
            save_candidates(found, by=self.actor, dry_run=dry_run, disabled=disabled)
        self.write_report(found, import_options.now, options["json"])
        if any(each.outcome is ImportOutcome.IMPORTED and each.job.enabled for each in found) and not options["json"]:
            self.write_lines(
                ["Now remove the lines of the imported jobs from the crontab. Until then cron runs them, too."]
            )


def _read_crontab(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ImportRefused(f"{file} cannot be read: {error}") from error

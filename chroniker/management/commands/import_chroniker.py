from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chroniker.clock.database_clock import database_now
from chroniker.importing.candidate import ImportCandidate
from chroniker.importing.django_chroniker.importer import import_jobs, import_logs, omission_notes
from chroniker.importing.django_chroniker.jobs import ImportOptions
from chroniker.importing.django_chroniker.source import DumpSource, OldDataSource, TableSource
from chroniker.management.importing import ImportCommand, explain_import_refusals, parse_time_zone


class Command(ImportCommand):
    help = (
        "Imports jobs, dependencies, subscribers and logs of django-chroniker, from its tables, which “migrate” "
        "renamed, or from a FILE of “dumpdata chroniker”. Prints each job as it is there and here. May be repeated: "
        "imported jobs stay unchanged, and a killed import continues."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", nargs="?", help="JSON or jsonl, also as .gz, .bz2 or .xz; default: the tables")
        parser.add_argument("--no-logs", action="store_true", help="import jobs only; the logs can be imported later")
        parser.add_argument(
            "--timezone",
            type=parse_time_zone,
            metavar="ZONE",
            help="the time zone of all jobs; default: that of django-chroniker, which is UTC with USE_TZ",
        )
        parser.add_argument("--no-catch-up", action="store_true", help="an overdue job waits for its next instant")

    def handle(self, *, file: str | None, dry_run: bool, disabled: bool, no_logs: bool, **options: Any) -> None:
        with explain_import_refusals():
            source: OldDataSource = DumpSource(file) if file else TableSource()
            import_options = ImportOptions(now := database_now(), options["timezone"], not options["no_catch_up"])
            found = import_jobs(source, import_options, by=self.actor, dry_run=dry_run, disabled=disabled)
            self.write_report(list(found.values()), now, options["json"])
            if not options["json"]:
                self.write_lines(omission_notes(source))
            if not no_logs and not dry_run:
                self.import_and_count_logs(source, found, options["verbosity"] if not options["json"] else 0)

    def import_and_count_logs(self, source: OldDataSource, found: dict[int, ImportCandidate], verbosity: int) -> None:
        runs = 0
        for candidate, number in import_logs(source, found):
            runs += number
            if verbosity > 1:
                self.stdout.write(f"“{candidate.job.name}”: {number} runs")
        if verbosity:
            self.stdout.write(f"{runs} logs imported as runs.")

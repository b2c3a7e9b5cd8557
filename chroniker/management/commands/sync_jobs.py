from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.declared.diff import Change, ChangeKind
from chroniker.declared.loading import load_declared_jobs
from chroniker.declared.sync import plan_sync, sync
from chroniker.management.console import CHECKS, database_errors_explained
from chroniker.management.table import table
from chroniker.management.terminal import ConsoleCommand


class Command(ConsoleCommand):
    help = (
        "Writes the jobs declared in code to the database: creates missing ones, updates changed ones, disables those "
        "no longer declared. Does not change jobs that people made, or whether a job is enabled."
    )
    requires_system_checks = CHECKS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--adopt", action="store_true", help="take over jobs of the same name that people made")
        parser.add_argument("--dry-run", action="store_true", help="print the changes; write nothing")
        parser.add_argument(
            "--check", action="store_true", help="like --dry-run, with exit status 1 if there are changes"
        )

    def handle(self, *, adopt: bool, dry_run: bool, check: bool, verbosity: int, **options: Any) -> None:
        declared, problems = load_declared_jobs()
        if problems:
            raise CommandError("\n".join(["Nothing was changed.", *map(str, problems)]))
        with database_errors_explained():
            changes = (plan_sync if dry_run or check else sync)(declared, adopt=adopt)
        for line in table(_rows(changes, everything=verbosity > 1), ("job", "what", "details")):
            self.stdout.write(line)
        if verbosity:
            self.stdout.write(_summary(changes))
        if check and any(change.what != ChangeKind.UNCHANGED for change in changes):
            raise CommandError("The jobs in the database differ from those declared in code.")
        if any(change.what == ChangeKind.REFUSED for change in changes):
            raise CommandError("Not all declared jobs are in the database.")


def _rows(changes: list[Change], *, everything: bool) -> list[tuple[str, str, str]]:
    return [(each.name, each.what, each.details) for each in changes if everything or each.what != ChangeKind.UNCHANGED]


def _summary(changes: list[Change]) -> str:
    """Such as “2 created, 1 unchanged.”"""
    counts = Counter(change.what for change in changes)
    said = [f"{counts[what]} {what}" for what in ChangeKind if counts[what]]
    return f"Jobs declared in code: {', '.join(said)}." if said else "No jobs are declared in code."

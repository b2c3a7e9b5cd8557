from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.declared.diff import JobChange, JobChangeKind
from chroniker.declared.loading import load_declared_jobs
from chroniker.declared.sync import plan_sync, sync_declared_jobs
from chroniker.management.console import SYSTEM_CHECK_TAGS, explain_database_errors
from chroniker.management.table import table_lines
from chroniker.management.terminal import ConsoleCommand
from chroniker.models.audit import command_actor


class Command(ConsoleCommand):
    help = (
        "Synchronises the jobs in the database with those declared in code: creates missing jobs, updates changed "
        "ones, and disables jobs that are no longer declared. Does not change jobs that were created by hand."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--adopt", action="store_true", help="take over jobs with the same name that were created by hand"
        )
        parser.add_argument("--dry-run", action="store_true", help="print the changes; write nothing")
        parser.add_argument(
            "--check", action="store_true", help="like --dry-run, with exit status 1 if there are changes"
        )

    def handle(self, *, adopt: bool, dry_run: bool, check: bool, verbosity: int, **options: Any) -> None:
        declared, problems = load_declared_jobs()
        if problems:
            raise CommandError("\n".join(["Nothing was changed.", *map(str, problems)]))
        with explain_database_errors():
            if dry_run or check:
                changes = plan_sync(declared, adopt=adopt)
            else:
                changes = sync_declared_jobs(declared, by=command_actor("sync_jobs"), adopt=adopt)
        for line in table_lines(_table_rows(changes, everything=verbosity > 1), ("job", "change", "details")):
            self.stdout.write(line)
        if verbosity:
            self.stdout.write(_sync_summary_text(changes))
        if check and any(change.kind != JobChangeKind.UNCHANGED for change in changes):
            raise CommandError("The jobs in the database differ from those declared in code.")
        if any(change.kind == JobChangeKind.REFUSED for change in changes):
            raise CommandError("Not all declared jobs are in the database.")


def _table_rows(changes: list[JobChange], *, everything: bool) -> list[tuple[str, str, str]]:
    return [
        (each.name, each.kind, each.details) for each in changes if everything or each.kind != JobChangeKind.UNCHANGED
    ]


def _sync_summary_text(changes: list[JobChange]) -> str:
    """For example “Jobs declared in code: 2 created, 1 unchanged.”"""
    counts = Counter(change.kind for change in changes)
    parts = [f"{counts[kind]} {kind}" for kind in JobChangeKind if counts[kind]]
    return f"Jobs declared in code: {', '.join(parts)}." if parts else "No jobs are declared in code."

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chroniker.clock.database_clock import database_now
from chroniker.importing import Outcome, save_candidates
from chroniker.management.importing import ImportCommand, refusals_explained
from chroniker_celery.importing.beat_tables import read_file, read_tables
from chroniker_celery.importing.celery_app import project_app
from chroniker_celery.importing.jobs import ImportOptions, candidates


class Command(ImportCommand):
    help = (
        "Imports the periodic tasks of django-celery-beat as jobs that run them, from its tables or from a FILE of "
        "“dumpdata django_celery_beat”. Prints each task as it is there and here. May be repeated: imported jobs stay "
        "unchanged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", nargs="?", help="JSON or jsonl, also as .gz, .bz2 or .xz; default: the tables")
        parser.add_argument("--send", action="store_true", help="let all jobs send their task instead of running it")

    def handle(self, *, file: str | None, dry_run: bool, disabled: bool, send: bool, **options: Any) -> None:
        with refusals_explained():
            beat = read_file(file) if file else read_tables()
            app = project_app()
            app.loader.import_default_modules()
            import_options = ImportOptions(database_now(), set(app.tasks), send)
            found = candidates(beat, import_options)
            save_candidates(found, by=self.by, dry_run=dry_run, disabled=disabled)
        self.show(found, import_options.now, options["json"])
        if any(each.outcome is Outcome.IMPORTED and each.job.enabled for each in found) and not options["json"]:
            self.print_lines(["Now disable these tasks there, or stop that beat. Until then it sends them, too."])

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.clock.database_clock import database_now
from chroniker.importing import ImportOutcome, save_candidates
from chroniker.management.importing import ImportCommand, explain_import_refusals
from chroniker_celery.importing import jobs, settings_entries
from chroniker_celery.importing.beat_tables import read_beat_dump_file, read_beat_tables
from chroniker_celery.importing.celery_app import find_project_celery_app, import_celery_app, import_task_modules
from chroniker_celery.importing.jobs import ImportOptions

ADVICE_AFTER_TABLE_IMPORT = "Now disable these tasks there, or stop that beat. Until then it sends them, too."
ADVICE_AFTER_ENTRY_IMPORT = (
    "Now delete these entries from the settings. Until then, only a beat with chroniker_celery.beat:Scheduler passes "
    "them over; Celery's own beat sends them, too."
)


class Command(ImportCommand):
    help = (
        "Imports the periodic tasks of django-celery-beat as jobs that run them, from its tables or from a FILE of "
        "“dumpdata django_celery_beat”; with --schedule the entries of beat_schedule. Prints each task as it is there "
        "and here. May be repeated: imported jobs stay unchanged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", nargs="?", help="JSON or jsonl, also as .gz, .bz2 or .xz; default: the tables")
        parser.add_argument("--send", action="store_true", help="let all jobs send their task instead of running it")
        parser.add_argument(
            "--schedule",
            nargs="?",
            const="",
            metavar="APP",
            help="import the entries of beat_schedule: those of the executor's Celery app, or of “project.celery:app”",
        )

    def handle(self, *, file: str | None, schedule: str | None, **options: Any) -> None:
        if file and schedule is not None:
            raise CommandError("Give a FILE or --schedule, not both.")
        with explain_import_refusals():
            app = import_celery_app(schedule) if schedule else find_project_celery_app()
            import_task_modules(app)
            import_options = ImportOptions(database_now(), set(app.tasks), options["send"])
            if schedule is None:
                found = jobs.make_import_candidates(
                    read_beat_dump_file(file) if file else read_beat_tables(), import_options
                )
            else:
                found = settings_entries.make_import_candidates(app, import_options)
            save_candidates(found, by=self.actor, dry_run=options["dry_run"], disabled=options["disabled"])
        self.write_report(found, import_options.now, options["json"])
        if any(each.outcome is ImportOutcome.IMPORTED and each.job.enabled for each in found) and not options["json"]:
            self.write_lines([ADVICE_AFTER_TABLE_IMPORT if schedule is None else ADVICE_AFTER_ENTRY_IMPORT])

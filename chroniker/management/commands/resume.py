from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.conf import settings
from chroniker.eligibility import pauses
from chroniker.escaping import to_one_line
from chroniker.management.console import (
    SYSTEM_CHECK_TAGS,
    explain_database_errors,
    get_group_by_name,
    get_jobs_by_names_or_ids,
)
from chroniker.management.terminal import ConsoleCommand
from chroniker.models.audit import command_actor
from chroniker.scheduler import requests


class Command(ConsoleCommand):
    help = (
        "Resumes all jobs, or those of a group, after a pause. From the next tick on, missed times run once or are "
        "recorded as skipped, depending on each job's misfire grace. A group that was paused separately stays paused "
        "when all jobs are resumed. With --job: resumes held jobs; exit status 1 if one was not held."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--group", metavar="NAME", help="only the jobs of this group")
        what.add_argument(
            "--job",
            dest="jobs",
            action="append",
            metavar="NAME-OR-ID",
            help="this job, which is held after a failure; may be repeated",
        )

    def handle(self, *, group: str | None, jobs: list[str] | None, **options: Any) -> None:
        if jobs:
            self.resume_jobs(jobs)
        else:
            self.end_pause(group)

    def resume_jobs(self, names: list[str]) -> None:
        with explain_database_errors():
            found = get_jobs_by_names_or_ids(names)
            held = [requests.resume_job(job, command_actor("resume")) for job in found]
        for job, was_held in zip(found, held, strict=True):
            text = "resumed; it starts with the next tick if it is due." if was_held else "was not held."
            self.stdout.write(f"“{to_one_line(job.name)}”: {text}")
        if not all(held):
            raise SystemExit(1)

    def end_pause(self, group: str | None) -> None:
        with explain_database_errors():
            found = get_group_by_name(group) if group is not None else None
            lifted = requests.resume(command_actor("resume"), found)
            left = [str(pause) for pause in pauses.read_group_pauses().values()]
        self.stdout.write("Resumed; due jobs start with the next tick." if lifted else "It was not paused.")
        for pause in left:
            self.stdout.write(to_one_line(pause))
        if settings.paused:
            raise CommandError(
                "The setting CHRONIKER_PAUSED still pauses all jobs. Change it and restart the processes that tick."
            )

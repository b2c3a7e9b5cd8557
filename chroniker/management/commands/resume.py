from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.conf import settings
from chroniker.eligibility import pauses
from chroniker.escaping import one_line
from chroniker.management.console import CHECKS, database_errors_explained, group_named
from chroniker.management.terminal import ConsoleCommand
from chroniker.models.audit import command_actor
from chroniker.scheduler import requests


class Command(ConsoleCommand):
    help = (
        "Resumes all jobs, or those of a group, after a pause. From the next tick on, missed times run once or are "
        "recorded as skipped, depending on each job's misfire grace. A group that was paused separately stays paused "
        "when all jobs are resumed."
    )
    requires_system_checks = CHECKS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", metavar="NAME", help="only the jobs of this group")

    def handle(self, *, group: str | None, **options: Any) -> None:
        with database_errors_explained():
            found = group_named(group) if group is not None else None
            lifted = requests.resume(command_actor("resume"), found)
            left = [str(pause) for pause in pauses.group_pauses().values()]
        self.stdout.write("Resumed; due jobs start with the next tick." if lifted else "It was not paused.")
        for pause in left:
            self.stdout.write(one_line(pause))
        if settings.paused:
            raise CommandError(
                "The setting CHRONIKER_PAUSED still pauses all jobs. Change it and restart the processes that tick."
            )

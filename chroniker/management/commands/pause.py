from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chroniker.eligibility import pauses
from chroniker.escaping import one_line
from chroniker.management.console import CHECKS, database_errors_explained, group_named, who
from chroniker.management.terminal import ConsoleCommand


class Command(ConsoleCommand):
    help = (
        "Pauses all jobs, or those of a group: nothing of them is claimed until somebody resumes them; what runs is "
        "finished. What is paused already stays as it is, with the reason it has."
    )
    requires_system_checks = CHECKS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", metavar="NAME", help="the jobs of this group only")
        parser.add_argument("--reason", default="", help="why, for the others; shown wherever the pause is")

    def handle(self, *, group: str | None, reason: str, **options: Any) -> None:
        with database_errors_explained():
            found = group_named(group) if group is not None else None
            pauses.pause(who("pause"), reason, found)
            pause = pauses.group_pauses([found.pk]).get(found.pk) if found else pauses.global_pause()
        self.stdout.write(one_line(pause))

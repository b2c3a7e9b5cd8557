from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chroniker.eligibility import pauses
from chroniker.escaping import to_one_line
from chroniker.management.console import SYSTEM_CHECK_TAGS, explain_database_errors, get_group_by_name
from chroniker.management.terminal import ConsoleCommand
from chroniker.models.audit import command_actor
from chroniker.scheduler import requests


class Command(ConsoleCommand):
    help = (
        "Pauses all jobs, or those of a group: no run is claimed until they are resumed. Open runs continue. An "
        "existing pause and its reason are not changed."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", metavar="NAME", help="only the jobs of this group")
        parser.add_argument("--reason", default="", help="shown beside the pause")

    def handle(self, *, group: str | None, reason: str, **options: Any) -> None:
        with explain_database_errors():
            found = get_group_by_name(group) if group is not None else None
            requests.pause(command_actor("pause"), reason, found)
            pause = pauses.read_group_pauses([found.pk]).get(found.pk) if found else pauses.global_pause()
        self.stdout.write(to_one_line(pause))

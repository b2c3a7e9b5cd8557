from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.escaping import to_one_line
from chroniker.exceptions import EventRefused
from chroniker.management.console import SYSTEM_CHECK_TAGS, explain_database_errors, get_job_by_name_or_id, parse_moment
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import Activation, Job
from chroniker.models.audit import command_actor
from chroniker.scheduler import events


class Command(ConsoleCommand):
    help = (
        "Requests a run of one job. Unlike run_job it is not refused while the job is running or paused: the request "
        "waits. Words after “--” replace the job's arguments. Exit status 1, with the reason, if it is refused or the "
        "job is disabled."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS
    words: Sequence[str] | None = None

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", metavar="NAME-OR-ID", help="name or id of the job")
        parser.add_argument("--key", help="a second request with this key changes nothing")
        parser.add_argument(
            "--for",
            dest="instant",
            metavar="TIME",
            help="the scheduled time that the run is for, instead of now: 2026-03-29T03:00",
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """Words after “--” are the arguments of the run: ``trigger_job NAME -- --since 2026-01-01``."""
        if "--" in argv:
            end = argv.index("--")
            argv, self.words = argv[:end], argv[end + 1 :]
        super().run_from_argv(argv)

    def handle(self, *, job: str, key: str | None, instant: str | None, **options: Any) -> None:
        scheduled_for = parse_moment(instant)
        with explain_database_errors():
            found = get_job_by_name_or_id(job)
            self.report(found, self.request_activation(found, key, scheduled_for))

    def request_activation(self, job: Job, key: str | None, instant: dt.datetime | None) -> Activation:
        try:
            return events.trigger(job, key, instant, self.words, command_actor("trigger_job"))
        except EventRefused as refusal:
            raise CommandError(f"“{to_one_line(job.name)}” was not requested. {to_one_line(refusal)}") from refusal

    def report(self, job: Job, activation: Activation) -> None:
        activation.refresh_from_db()  # the run may have been claimed at the commit
        name = to_one_line(job.name)
        if activation.run is not None:
            self.stdout.write(f"“{name}” was requested; its run is {activation.run}.")
        elif activation.ended_at is None:
            self.stdout.write(f"“{name}” was requested; it runs as soon as it may.")
        else:
            raise CommandError(f"“{name}” does not run. {to_one_line(activation.reason)}")

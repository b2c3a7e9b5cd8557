from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.management.console import CHECKS, TickPrinter, shutdown_grace, stay_for_messages, who
from chroniker.management.terminal import ConsoleCommand
from chroniker.scheduler.local_runs import LocalRuns
from chroniker.scheduler.loop import Ticker
from chroniker.scheduler.shutdown_signals import ShutdownSignals

#: How long it stays, when told to end, for messages about runs that are being sent.
MESSAGES_SECONDS = 10.0


class Command(ConsoleCommand):
    help = (
        "Ticks until it is told to end: when something is due, and every few seconds besides, to notice edits and lost "
        "runs. Any number may run at once. It goes on when the database is away. On SIGTERM or SIGINT it finishes its "
        "tick, waits for the runs that execute in it, and stops those that take longer than they may; a second signal "
        "stops all."
    )
    requires_system_checks = CHECKS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "seconds",
            nargs="?",
            type=float,
            default=5.0,
            help="the longest time between two ticks (default: %(default)g)",
        )
        parser.add_argument(
            "--drain",
            type=float,
            metavar="SECONDS",
            help="when told to end, how long its runs may go on before they are stopped "
            "(default: CHRONIKER_SHUTDOWN_GRACE_SECONDS; without it, until they have ended)",
        )

    def handle(self, *, seconds: float, drain: float | None, verbosity: int, **options: Any) -> None:
        if not 0 < seconds < float("inf"):
            raise CommandError(f"{seconds:g} is no time between two ticks: give seconds, more than 0, for example 5.")
        if drain is None:
            drain = shutdown_grace()
        elif not drain >= 0:
            raise CommandError(f"--drain {drain:g}: give seconds, 0 or more.")
        tell = TickPrinter(self.stdout.write, verbosity)
        with (
            ShutdownSignals() as asked,
            LocalRuns(asked, who=who("cronserver"), drain=drain, tell=tell, say=tell.say) as runs,
        ):
            Ticker(seconds, tell).serve(runs, asked)
            stay_for_messages(asked, MESSAGES_SECONDS)

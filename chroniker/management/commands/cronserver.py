from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.management.console import (
    SYSTEM_CHECK_TAGS,
    TickPrinter,
    add_quiet_option,
    shutdown_grace_seconds,
    wait_for_messages,
)
from chroniker.management.terminal import ConsoleCommand
from chroniker.models.audit import command_actor
from chroniker.scheduler.local_runs import LocalRuns
from chroniker.scheduler.loop import TickLoop
from chroniker.scheduler.shutdown_signals import ShutdownSignals

#: Seconds to wait at the end for messages about runs that are being sent.
MAX_MESSAGE_WAIT_SECONDS = 10.0


class Command(ConsoleCommand):
    help = (
        "Ticks until SIGTERM or SIGINT: when a job is due, and every few seconds to notice edits and lost runs. Prints "
        "each run that it claims and the result of each run that ends in this process. Any number may run at once. It "
        "continues when the database is down. On the first signal it finishes the tick and waits for its runs (see "
        "--drain); on the second it stops them."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

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
            help="how long its runs may continue after the first signal before they are stopped "
            "(default: CHRONIKER_SHUTDOWN_GRACE_SECONDS; without it, until they have ended)",
        )
        add_quiet_option(parser)

    def handle(self, *, seconds: float, drain: float | None, verbosity: int, quiet: bool, **options: Any) -> None:
        if not 0 < seconds < float("inf"):
            raise CommandError(f"{seconds:g} is not a time between two ticks: give seconds, more than 0, such as 5.")
        if drain is None:
            drain = shutdown_grace_seconds()
        elif not drain >= 0:
            raise CommandError(f"--drain {drain:g}: give seconds, 0 or more.")
        printer = TickPrinter(self.stdout.write, verbosity, is_quiet=quiet)
        printer.print_start("cronserver", f"ticks at least every {seconds:g} s. Ctrl-C ends it.")
        with (
            ShutdownSignals() as signals,
            LocalRuns(
                signals,
                who=command_actor("cronserver"),
                drain=drain,
                on_result=printer,
                log=printer.print,
                on_end=printer.print_ended_run,
            ) as runs,
        ):
            TickLoop(seconds, printer, kind="cronserver").tick_until_shutdown(runs, signals)
            wait_for_messages(signals, MAX_MESSAGE_WAIT_SECONDS)

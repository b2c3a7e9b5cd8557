from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import QuerySet

from chroniker.conf import settings
from chroniker.eligibility import draining, pauses
from chroniker.escaping import to_one_line
from chroniker.management.console import SYSTEM_CHECK_TAGS, describe_run, explain_database_errors, local_time_text
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import Run
from chroniker.models.audit import command_actor
from chroniker.process.deferred_signals import TERMINATION_SIGNALS
from chroniker.scheduler import dispatch, requests

#: Runs that are printed.
MAX_PRINTED_RUNS = 20
#: Seconds between two checks. Two in a row must find no run: a start may have begun just before the drain.
POLL_SECONDS = 1.0


class Command(ConsoleCommand):
    help = (
        "Prepares a shutdown of this host: it no longer claims or starts runs; its running runs continue, and the "
        "command waits for them. Other hosts take over what is due. Exit status: 0 no run is left, 1 runs are left, "
        "2 the request failed. The drain ends with --undo, or when a worker, beat or cronserver starts on this host."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--timeout",
            type=float,
            metavar="SECONDS",
            help="wait so long at most; 0: do not wait (default: until no run is left)",
        )
        parser.add_argument("--fleet", action="store_true", help="pause all jobs, and wait for the runs of all hosts")
        parser.add_argument("--undo", action="store_true", help="end the drain; with --fleet: resume all jobs")

    def handle(self, *, timeout: float | None, fleet: bool, undo: bool, **options: Any) -> None:
        if timeout is not None and not 0 <= timeout < float("inf"):
            raise CommandError(f"--timeout {timeout:g}: give seconds, 0 or more.", returncode=2)
        if undo and timeout is not None:
            raise CommandError("--undo waits for nothing; leave out --timeout.", returncode=2)
        try:
            with explain_database_errors():
                left = self._end_drain_or_pause(fleet) if undo else self._drain(fleet, timeout)
        except CommandError as error:
            raise CommandError(str(error), returncode=2) from error
        if left:
            raise SystemExit(1)

    def _end_drain_or_pause(self, fleet: bool) -> int:
        by = command_actor("drain")
        ended = requests.resume(by) if fleet else requests.end_drain(by)
        what = "All jobs" if fleet else f"The host “{settings.hostname}”"
        done = "were resumed" if fleet else "claims and starts runs again"
        idle = "were not paused" if fleet else "was not draining"
        self.stdout.write(to_one_line(f"{what} {done if ended else idle}."))
        return 0

    def _drain(self, fleet: bool, timeout: float | None) -> int:
        """Returns the number of runs that are left."""
        by = command_actor("drain")
        if fleet:
            requests.pause(by, "manage.py drain --fleet")
            self.stdout.write(to_one_line(pauses.global_pause()))
        else:
            dispatch.stop_or_continue_consuming(requests.begin_drain(by), stop=True)
            for host in draining.select_this_host_if_draining():
                self.stdout.write(to_one_line(draining.drain_message(host)))
        runs = draining.open_runs_on_host("" if fleet else settings.hostname)
        self._wait_for_end_of_runs(runs, timeout)
        left = list(runs.all()[: MAX_PRINTED_RUNS + 1])
        for run in left[:MAX_PRINTED_RUNS]:
            state, since = "running" if run.started_at else "queued", local_time_text(run.started_at or run.claimed_at)
            self.stdout.write(to_one_line(f"left: {describe_run(run)}, {state} since {since} ({run.pk})"))
        if len(left) > MAX_PRINTED_RUNS:
            self.stdout.write("left: more runs; see manage.py jobs --state running queued")
        self.stdout.write("Runs are left." if left else "No run is left.")
        return len(left)

    @staticmethod
    def _wait_for_end_of_runs(runs: QuerySet[Run], timeout: float | None) -> None:
        """Wait until two checks in a row find no run, the time is over, or a signal arrives. The drain continues."""
        ended = False

        def end(number: int, frame: FrameType | None) -> None:
            nonlocal ended
            ended = True

        before = {number: signal.signal(number, end) for number in TERMINATION_SIGNALS}
        until = float("inf") if timeout is None else time.monotonic() + timeout
        empty = 0
        try:
            while not ended and empty < 2 and time.monotonic() < until:
                empty = 0 if runs.all().exists() else empty + 1
                if empty < 2:
                    time.sleep(max(0.0, min(POLL_SECONDS, until - time.monotonic())))
        finally:
            for number, action in before.items():
                signal.signal(number, action)

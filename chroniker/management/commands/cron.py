from __future__ import annotations

import datetime as dt
import sys
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts
from chroniker.eligibility.hosts import WorkerReport
from chroniker.escaping import to_one_line
from chroniker.exceptions import ClaimRefused
from chroniker.management import dry_run
from chroniker.management.console import (
    SYSTEM_CHECK_TAGS,
    TickPrinter,
    add_quiet_option,
    explain_database_errors,
    get_jobs_by_names_or_ids,
    shutdown_grace_seconds,
    wait_for_messages,
)
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import Job
from chroniker.models.audit import command_actor
from chroniker.scheduler import requests, tick, tick_result
from chroniker.scheduler.local_runs import LocalRuns
from chroniker.scheduler.pass_lock import PassLock
from chroniker.scheduler.shutdown_signals import ShutdownSignals
from chroniker.scheduler.tick_record import record_single_pass
from chroniker.scheduler.watch import FleetWatch

#: Seconds to wait for messages about runs that are being sent. A later tick sends the rest.
MAX_MESSAGE_WAIT_SECONDS = 60.0


class Command(ConsoleCommand):
    help = (
        "Runs one tick: closes lost runs, claims due jobs and dispatches them. With the local executor it waits until "
        "its runs have ended, and prints their results. For a crontab, with --quiet; any number may run at once. On "
        "the first SIGTERM or SIGINT it claims nothing more and waits for its runs (at most "
        "CHRONIKER_SHUTDOWN_GRACE_SECONDS, if that is set); on the second it stops them."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--jobs", nargs="+", metavar="NAME-OR-ID", default=[], help="claim only these jobs")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="print the jobs that would be claimed, and why the others would not; write nothing",
        )
        parser.add_argument(
            "--force-run",
            action="store_true",
            help="with --jobs: claim them now, independent of their schedules; exit status 1 if one is refused",
        )
        add_quiet_option(parser)

    def handle(
        self, *, jobs: list[str], dry_run: bool, force_run: bool, verbosity: int, quiet: bool, **options: Any
    ) -> None:
        if force_run and not jobs:
            raise CommandError("--force-run needs --jobs NAME-OR-ID …")
        with explain_database_errors():
            named = get_jobs_by_names_or_ids(jobs) if jobs else None
            if dry_run:
                self.preview(named, force_run)
            else:
                self.tick(named, force_run, TickPrinter(self.stdout.write, verbosity, is_quiet=quiet))

    def preview(self, jobs: list[Job] | None, force_run: bool) -> None:
        for line in (
            dry_run.forecast_manual_claims(jobs or []) if force_run else dry_run.forecast_scheduled_claims(jobs)
        ):
            self.stdout.write(to_one_line(line))

    def tick(self, jobs: list[Job] | None, force_run: bool, printer: TickPrinter) -> None:
        printer.print_start("cron", "one tick, then it waits for its runs.")
        with ShutdownSignals() as shutdown, PassLock(shutdown, printer.print) as turn:
            if not turn.is_ours:
                return
            with LocalRuns(
                shutdown,
                who=command_actor("cron"),
                drain=shutdown_grace_seconds(),
                on_result=printer,
                log=printer.print,
                on_end=printer.print_ended_run,
            ) as runs:
                try:
                    all_claimed = self.run_one_tick(jobs, force_run, printer, serves=runs.worker_reports())
                finally:
                    turn.release()
                runs.wait_for_all_runs()
            wait_for_messages(shutdown, MAX_MESSAGE_WAIT_SECONDS)
        if not all_claimed:
            raise CommandError("Not all of these jobs were claimed.")

    def run_one_tick(
        self, jobs: list[Job] | None, force_run: bool, printer: TickPrinter, *, serves: list[WorkerReport]
    ) -> bool:
        """Returns False if one of the jobs to be forced was refused."""
        hosts.record_heartbeat(serves)
        if force_run:
            return all([self.claim(job, printer) for job in jobs or []])
        began, clock = time.monotonic(), database_now()
        result = tick.tick([job.pk for job in jobs] if jobs else None)
        printer(result)
        if not jobs and not (sys.stdin and sys.stdin.isatty()):
            seconds = time.monotonic() - began
            record_single_pass("cron", clock + dt.timedelta(seconds=seconds), seconds, len(result.claimed))
            FleetWatch(waits_before_first_alarm=False).raise_or_end_alarms()
        return True

    def claim(self, job: Job, printer: TickPrinter) -> bool:
        try:
            printer(tick_result.TickResult(claimed=[requests.run_now(job, command_actor("cron --force-run"))]))
        except ClaimRefused as refusal:
            self.stderr.write(to_one_line(f"refused “{job.name}”: {refusal}"))
            return False
        return True

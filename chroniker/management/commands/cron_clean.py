from __future__ import annotations

import datetime as dt
import os
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.clock.database_clock import database_now
from chroniker.management.console import SYSTEM_CHECK_TAGS, explain_database_errors, local_time_text
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import Job
from chroniker.models.audit import command_actor
from chroniker.process.run_spec import RUN_ID_VARIABLE
from chroniker.scheduler import requests, retention

AGE_UNITS = ("minutes", "hours", "days", "weeks")
#: Seconds between two lines about the progress.
PROGRESS_SECONDS = 1.0


class Command(ConsoleCommand):
    help = (
        "Deletes runs that ended longer ago than this, with their output: cron_clean days 30. Keeps open runs, the "
        "last closed run of each job, and runs with unsent messages. Uses small transactions; may be stopped at any "
        "time. May run as a job, which then shows its progress."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("unit", choices=AGE_UNITS, help="unit of N")
        parser.add_argument("amount", type=int, metavar="N", help="0 or more")
        parser.add_argument("--dry-run", action="store_true", help="print how many would be deleted; delete nothing")

    def handle(self, *, unit: str, amount: int, dry_run: bool, verbosity: int, **options: Any) -> None:
        with explain_database_errors():
            moment = _time_ago(unit, amount)
            total = retention.deletable_runs_ended_before(moment).count()
            if dry_run:
                self.stdout.write(f"would delete {total} runs that ended before {local_time_text(moment)}")
                return
            deleted = self.delete(moment, total, print_progress=verbosity >= 1)
            requests.record_deleted_runs(command_actor("cron_clean"), deleted, local_time_text(moment))
            results = retention.forget_deleted_runs_in_executors(moment)
        if verbosity >= 1:
            self.stdout.write(f"deleted {deleted} runs that had ended before {local_time_text(moment)}")
        if verbosity >= 1 and results:
            self.stdout.write(f"deleted {results} results of runs that no longer exist")

    def delete(self, moment: dt.datetime, total: int, *, print_progress: bool) -> int:
        deleted, printed_at = 0, -PROGRESS_SECONDS
        # A job has a progress bar, and output on stderr may make its run fail.
        print_progress &= RUN_ID_VARIABLE not in os.environ
        Job.update_progress(max(total, 1), 0)
        for deleted in retention.delete_runs_ended_before(moment):
            Job.update_progress(max(total, deleted, 1), deleted)
            if print_progress and time.monotonic() - printed_at >= PROGRESS_SECONDS:
                printed_at = time.monotonic()
                self.stderr.write(f"{deleted} of {max(total, deleted)} runs ({100 * deleted // max(total, deleted)} %)")
        Job.update_progress(max(deleted, 1), max(deleted, 1))
        return deleted


def _time_ago(unit: str, amount: int) -> dt.datetime:
    if amount < 0:
        raise CommandError(f"{amount} {unit} ago is in the future: give 0 or more.")
    try:
        return database_now() - dt.timedelta(**{unit: amount})
    except OverflowError:
        raise CommandError(f"{amount} {unit} ago is before year 1: give fewer.") from None

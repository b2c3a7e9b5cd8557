from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chroniker.escaping import to_one_line
from chroniker.management.console import (
    SYSTEM_CHECK_TAGS,
    explain_database_errors,
    get_job_by_name_or_id,
    get_jobs_by_names_or_ids,
    local_time_text,
)
from chroniker.management.table import table_lines
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import JobState, Status
from chroniker.models.audit import command_actor
from chroniker.scheduler import requests

MAX_LISTED_RETRIES = 1000
NO_RETRY_TEXT, NO_WAITING_RETRY_TEXT = "no pending retry", "no pending retry, or its retry is already due"


class Command(ConsoleCommand):
    help = (
        "Lists the pending retries. --now starts a retry with the next tick, --cancel cancels it: its run then counts "
        "as the last attempt. Exit status 1 if a job has no such retry."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("jobs", nargs="*", metavar="NAME-OR-ID", help="list only the retries of these jobs")
        parser.add_argument(
            "--cancel", action="append", default=[], metavar="NAME-OR-ID", help="cancel the retry of this job"
        )
        parser.add_argument(
            "--now", action="append", default=[], metavar="NAME-OR-ID", help="retry this job with the next tick"
        )

    def handle(self, *, jobs: list[str], cancel: list[str], now: list[str], **options: Any) -> None:
        with explain_database_errors():
            if not cancel and not now:
                self.write_list(jobs)
                return
            by = command_actor("retries")
            done = [
                self.print_change(
                    each, requests.cancel_retry(get_job_by_name_or_id(each), by), "cancelled", NO_RETRY_TEXT
                )
                for each in cancel
            ]
            done += [
                self.print_change(
                    each, requests.make_retry_due_now(get_job_by_name_or_id(each), by), "due now", NO_WAITING_RETRY_TEXT
                )
                for each in now
            ]
        if not all(done):
            raise SystemExit(1)

    def print_change(self, name: str, is_changed: bool, change: str, missing: str) -> bool:
        if is_changed:
            self.stdout.write(f"“{to_one_line(name)}”: its retry is {change}.")
        else:
            self.stderr.write(f"“{to_one_line(name)}” has {missing}.")
        return is_changed

    def write_list(self, names: list[str]) -> None:
        states = JobState.objects.filter(retry_at__isnull=False).select_related("job").order_by("retry_at")
        if names:
            states = states.filter(job__in=get_jobs_by_names_or_ids(names))
        rows = [
            (
                to_one_line(state.job.name),
                local_time_text(state.retry_at),
                f"{state.retry_attempt + 1} of {max(state.job.max_retries, state.retry_attempt) + 1}",
                str(Status(state.retry_status).label) if state.retry_status else "-",
            )
            for state in states[:MAX_LISTED_RETRIES]
        ]
        lines = table_lines(rows, ("job", "retry at", "attempt", "last attempt"))
        self.stdout.write("\n".join(lines) if rows else "No pending retries.")

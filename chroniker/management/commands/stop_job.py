from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from chroniker.escaping import to_one_line
from chroniker.management.console import (
    SYSTEM_CHECK_TAGS,
    explain_database_errors,
    get_jobs_by_names_or_ids,
    local_time_text,
)
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import EVERY_HOST, OPEN_STATUSES, Job, Lease, Run, Status
from chroniker.models.audit import command_actor
from chroniker.scheduler import requests


class Command(ConsoleCommand):
    help = (
        "Stops the open run of each of these jobs. A run that has not started ends at once; a running one gets "
        "SIGTERM, and SIGKILL after its grace, on any host. Does not wait for the end. "
        "Exit status 1 if one of the jobs has no open run."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("jobs", nargs="*", metavar="NAME-OR-ID", help="name or id of a job")
        parser.add_argument("--run", action="append", default=[], metavar="ID", help="this run; may be repeated")

    def handle(self, *, jobs: list[str], run: list[str], **options: Any) -> None:
        if not jobs and not run:
            raise CommandError("Give NAME-OR-ID of a job, or --run ID.")
        with explain_database_errors():
            named, runs = get_jobs_by_names_or_ids(jobs), [find_run(text) for text in run]
            stopped = [self.stop_job(job) for job in named] + [self.stop_run(each) for each in runs]
        if not all(stopped):
            raise SystemExit(1)

    def stop_job(self, job: Job) -> bool:
        lease = Lease.objects.filter(job=job, slot="").select_related("run__job").first()
        if lease is None:
            self.stderr.write(f"“{to_one_line(job.name)}” is not running.")
            return False
        return self.stop_run(lease.run)

    def stop_run(self, run: Run) -> bool:
        since = run.stop_requested_at
        if not requests.stop(run.pk, command_actor("stop_job")):
            run.refresh_from_db(fields=["status", "finished_at"])
            self.stderr.write(f"{_run_name(run)} is not running: it {_run_end_text(run)}.")
            return False
        run.refresh_from_db(fields=["status", "started_at", "finished_at"])
        if run.status not in OPEN_STATUSES:
            before = run.status == Status.STOPPED and run.started_at is None
            self.stdout.write(f"{_run_name(run)} {'was stopped before it started' if before else _run_end_text(run)}.")
        elif since is not None:
            self.stdout.write(
                f"{_run_name(run)} has been stopping since {local_time_text(since)}; "
                f"requested by {to_one_line(run.stop_requester)}."
            )
        else:
            where = "every host" if run.required_host == EVERY_HOST else to_one_line(run.host)
            self.stdout.write(f"{_run_name(run)} runs on {where}; a stop was requested.")
        return True


def find_run(text: str) -> Run:
    try:
        run = Run.objects.select_related("job").filter(pk=UUID(text)).first()
    except ValueError:
        raise CommandError(f"“{text}” is not the id of a run. Example: 0197a8b0-1c2d-7e3f-8a4b-5c6d7e8f9a0b.") from None
    if run is None:
        raise CommandError(
            f"There is no run {text}; it may have been deleted. “manage.py jobs --json” names open runs."
        )
    return run


def _run_name(run: Run) -> str:
    return f"Run {run.token} of “{to_one_line(run.job.name)}”"


def _run_end_text(run: Run) -> str:
    return f"ended as {Status(run.status).label}, {local_time_text(run.finished_at)}"

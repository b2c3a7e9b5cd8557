from __future__ import annotations

import datetime as dt
import shlex
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.clock.database_clock import database_now
from chroniker.escaping import to_one_line
from chroniker.exceptions import ClaimRefused, CommandRefused, ExecutorError
from chroniker.executors import InProcessExecutor, executors
from chroniker.insights.planned_start import plan_manual_start
from chroniker.management.console import SYSTEM_CHECK_TAGS, explain_database_errors, get_job_by_name_or_id, parse_moment
from chroniker.management.follow_run import RunFollower
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import EVERY_HOST, Job
from chroniker.models.audit import command_actor
from chroniker.scheduler import requests
from chroniker.scheduler.local_runs import LocalRuns
from chroniker.scheduler.shutdown_signals import ShutdownSignals


class Command(ConsoleCommand):
    help = (
        "Runs one job now, independent of its schedule. Exit status 1, with the reason, if it runs already or may not "
        "run. If the run executes on this host, waits for its end, shows its output and ends with its exit status; "
        "SIGTERM or SIGINT stops the run. Otherwise prints the run's id and ends."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", metavar="NAME-OR-ID", help="name or id of the job")
        parser.add_argument(
            "--args",
            dest="line",  # "args" has another meaning in Django
            metavar="WORDS",
            help="arguments for this run, in place of the job's: --args='--since 2026-01-01'; or words after “--”",
        )
        parser.add_argument(
            "--for",
            dest="instant",
            metavar="TIME",
            help="the scheduled time that the run is for, instead of now: 2026-03-29T03:00",
        )
        parser.add_argument(
            "--print",
            action="store_true",
            dest="only_print",
            help="print the command line and the variables of such a run, and run nothing",
        )
        parser.add_argument(
            "--wait",
            action="store_true",
            help="also wait for a run that executes on another host; a signal ends the waiting, not the run",
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """Words after “--” are the arguments for this run: ``run_job NAME -- --since 2026-01-01``."""
        if "--" in argv:
            end = argv.index("--")
            argv = [*argv[:end], f"--args={shlex.join(argv[end + 1 :])}"]
        super().run_from_argv(argv)

    def handle(
        self, *, job: str, wait: bool, line: str | None, instant: str | None, only_print: bool, **options: Any
    ) -> None:
        asked = parse_moment(instant)
        with explain_database_errors():
            if only_print:
                return self.print_command_and_variables(get_job_by_name_or_id(job), line, asked)
            status = self.run(get_job_by_name_or_id(job), wait, line, asked)
        if status:
            raise SystemExit(status)

    def print_command_and_variables(self, job: Job, args: str | None, instant: dt.datetime | None) -> None:
        """One line for the command, and one for each variable."""
        try:
            start = plan_manual_start(job, database_now(), args, instant)
        except CommandRefused as refusal:
            raise CommandError(f"“{to_one_line(job.name)}” would not start. {to_one_line(refusal)}") from refusal
        self.stdout.write(to_one_line(shlex.join(start.argv if job.raw_command else ("manage.py", *start.argv))))
        for name, value in sorted({**start.environment, **start.variables}.items()):
            self.stdout.write(to_one_line(f"{name}={value}"))

    def run(self, job: Job, wait: bool, args: str | None, instant: dt.datetime | None) -> int:
        try:
            executor = executors[job.executor]
            with (
                ShutdownSignals() as shutdown,
                LocalRuns(shutdown, who=command_actor("run_job"), aliases=[job.executor], drain=0, stops=True) as runs,
            ):
                run = requests.run_now(job, command_actor("run_job"), args, instant)
                everywhere = run.required_host == EVERY_HOST
                here = isinstance(executor, InProcessExecutor) and (
                    everywhere or bool(executor.runs_for_this_host([run]))
                )
                follower = RunFollower(run.pk, self.stdout, self.stderr)
                if here or (wait and follower.was_dispatched()):
                    follower.follow(runs, shutdown, here=here)
                if wait and everywhere:  # this host has finished, others perhaps not
                    follower.follow(runs, shutdown, here=False)
            return follower.print_result(waited=wait or (here and not everywhere))
        except (ClaimRefused, ExecutorError) as refusal:
            raise CommandError(f"“{to_one_line(job.name)}” was not run. {to_one_line(refusal)}") from refusal

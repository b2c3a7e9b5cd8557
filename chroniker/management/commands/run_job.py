from __future__ import annotations

import shlex
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.escaping import one_line
from chroniker.exceptions import ClaimRefused, ExecutorError
from chroniker.executors import HostedExecutor, executors
from chroniker.management.console import CHECKS, database_errors_explained, job_named, who
from chroniker.management.follow_run import Follower
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import EVERY_HOST, Job
from chroniker.scheduler import manual_runs
from chroniker.scheduler.local_runs import LocalRuns
from chroniker.scheduler.shutdown_signals import ShutdownSignals


class Command(ConsoleCommand):
    help = (
        "Runs one job now, whatever its schedule says, unless it is running already or may not run: then it says why, "
        "with exit status 1. Where the job's executor runs it on this host, it waits for its end, shows its output and "
        "takes over its exit status; SIGTERM or SIGINT stops the run. Elsewhere it prints the run's id and ends."
    )
    requires_system_checks = CHECKS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", metavar="NAME-OR-ID", help="the job's name, or its number")
        parser.add_argument(
            "--args",
            dest="line",  # "args" is what Django calls the positional ones
            metavar="WORDS",
            help="for this once, in place of the job's own: --args='--since 2026-01-01'; or behind “--”, word by word",
        )
        parser.add_argument(
            "--wait",
            action="store_true",
            help="wait for the end of a run that executes elsewhere, too; a signal ends the waiting, not the run",
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """What stands behind “--” are the job's arguments for this once: ``run_job NAME -- --since 2026-01-01``."""
        if "--" in argv:
            end = argv.index("--")
            argv = [*argv[:end], f"--args={shlex.join(argv[end + 1 :])}"]
        super().run_from_argv(argv)

    def handle(self, *, job: str, wait: bool, line: str | None, **options: Any) -> None:
        with database_errors_explained():
            status = self.run(job_named(job), wait, line)
        if status:
            raise SystemExit(status)

    def run(self, job: Job, wait: bool, args: str | None) -> int:
        try:
            executor = executors[job.executor]
            with (
                ShutdownSignals() as asked,
                LocalRuns(asked, who=who("run_job"), aliases=[job.executor], drain=0, stops=True) as runs,
            ):
                run = manual_runs.run_now(job, who("run_job"), args)
                everywhere = run.required_host == EVERY_HOST
                here = isinstance(executor, HostedExecutor) and (everywhere or bool(executor.for_here([run])))
                follower = Follower(run.pk, self.stdout, self.stderr)
                if here or (wait and follower.was_dispatched()):
                    follower.follow(runs, asked, here=here)
                if wait and everywhere:  # this host is done; the others may not be
                    follower.follow(runs, asked, here=False)
            return follower.conclude(waited=wait or (here and not everywhere))
        except (ClaimRefused, ExecutorError) as refusal:
            raise CommandError(f"“{one_line(job.name)}” was not run. {one_line(refusal)}") from refusal

"""Functions that commands share: find jobs by name, wait, print messages."""

from __future__ import annotations

import argparse
import datetime as dt
import difflib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import CommandError
from django.db import Error
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from chroniker import outbox
from chroniker.checks import CHECK_TAG
from chroniker.conf import settings
from chroniker.eligibility import pauses
from chroniker.escaping import shortened, to_one_line
from chroniker.models import OPEN_STATUSES, Group, Job, Run, Status, Trigger
from chroniker.reasons import NO_REASON
from chroniker.scheduler import start_report
from chroniker.scheduler.database_errors import MIGRATE_HINT, explain_database_error
from chroniker.scheduler.shutdown_signals import ShutdownSignals
from chroniker.scheduler.tick_result import TickResult

#: Only these system checks: a crontab starts these commands every minute.
SYSTEM_CHECK_TAGS = (CHECK_TAG,)

#: A wait checks after this time whether it is over.
POLL_SECONDS = 0.1

#: Names that are compared with an unknown one.
MAX_NAMES_FOR_SUGGESTION = 10_000


def get_job_by_name_or_id(text: str) -> Job:
    """The job with this name or id. Raises ``CommandError``, which suggests the most similar name."""
    try:
        return Job.from_name_or_id(text)
    except (Job.DoesNotExist, OverflowError):
        message = f"There is no job with the name or id “{shortened(to_one_line(text), 200)}”."
        raise CommandError(f"{message}{_name_suggestion_text(text)}") from None


def get_jobs_by_names_or_ids(texts: Iterable[str]) -> list[Job]:
    return [get_job_by_name_or_id(text) for text in texts]


def get_group_by_name(name: str) -> Group:
    """The group with this name. Raises ``CommandError``, which suggests the most similar name."""
    group = Group.objects.filter(name=name).first()
    if group is None:
        message = f"There is no group with the name “{shortened(to_one_line(name), 200)}”."
        raise CommandError(f"{message}{_name_suggestion_text(name, Group)}")
    return group


def _name_suggestion_text(text: str, kind: type[Job] | type[Group] = Job) -> str:
    names = list(kind.objects.order_by("name").values_list("name", flat=True)[:MAX_NAMES_FOR_SUGGESTION])
    if not names:
        return f" There are no {kind._meta.verbose_name_plural} yet; add one in the admin."
    near = difflib.get_close_matches(text[:200], names, n=1, cutoff=0.5)
    return f" Did you mean “{to_one_line(near[0])}”?" if near else " The admin lists them all."


def wait_for_messages(shutdown: ShutdownSignals, seconds: float) -> None:
    """Wait until no message is being sent, but at most ``seconds``, and only until a second signal."""
    until = time.monotonic() + seconds
    while (
        (outbox.is_sending() or outbox.heartbeat_url.is_requesting_heartbeat_url())
        and shutdown.count < 2
        and time.monotonic() < until
    ):
        time.sleep(POLL_SECONDS)


def shutdown_grace_seconds() -> float | None:
    """Seconds that runs may continue after a signal. None: without limit."""
    grace = settings.shutdown_grace
    return None if grace is None else grace.total_seconds()


@contextmanager
def explain_database_errors() -> Iterator[None]:
    """Report an unusable database without a traceback. The option ``--traceback`` still shows the traceback."""
    try:
        yield
    except Error as error:
        text = explain_database_error(error)
        question = "" if MIGRATE_HINT in text else "\nIs it running and reachable?"
        raise CommandError(f"The database cannot be used: {text}{question}") from error


def describe_run(run: Run) -> str:
    """Job, number and trigger of a run. Not its id: a run in a preview has none."""
    if run.parent_id is not None:
        return to_one_line(f"“{run.job.name}”: run {run.token}, on {run.required_host}")
    why = {
        Trigger.SCHEDULE: f"for {local_time_text(run.scheduled_for)}",
        Trigger.RETRY: f"attempt {run.attempt}",
        Trigger.EVENT: "by an event" if run.cause is None else "by a trigger",
        Trigger.BACKFILL: f"backfill for {local_time_text(run.instant)}",
    }
    return to_one_line(f"“{run.job.name}”: run {run.token}, {why.get(Trigger(run.trigger), 'by hand')}")


def parse_moment(text: str | None, *, fold: int = 0) -> dt.datetime | None:
    """The time in this text: in the project's time zone, unless the text has an offset."""
    if text is None:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"“{text}” is not a time; write it like 2026-03-29T03:00 or 2026-03-29T03:00+02:00.")
    return found.replace(tzinfo=timezone.get_current_timezone(), fold=fold) if timezone.is_naive(found) else found


def add_quiet_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--quiet``, for commands that tick. Errors are printed nevertheless."""
    parser.add_argument(
        "--quiet",
        action="store_true",
        help="print only runs that did not succeed, and what keeps this host from claiming",
    )


def parse_row_limit(text: str) -> int:
    """The type of an option that limits the number of rows. 0: all rows."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"“{text}” is not a number of rows; 0 lists all.")
    return min(int(text), 2**31)  # databases refuse numbers beyond 64 bits


def local_time_text(moment: Any) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" if moment else "no time"


_STATUS_IN_SENTENCE = {
    Status.SUCCEEDED: "succeeded",
    Status.FAILED: "failed",
    Status.TIMED_OUT: "timed out",
    Status.STOPPED: "was stopped",
    Status.LOST: "was lost",
}


def run_result_text(run: Run) -> str:
    """Status, duration and reason of a closed run: “failed after 1.2 s: it exited with status 3”."""
    duration = ""
    if run.started_at is not None and run.finished_at is not None:
        duration = f" after {(run.finished_at - run.started_at).total_seconds():.1f} s"
    reason = f": {to_one_line(run.reason.rstrip('.'))}" if run.reason and run.status != Status.SUCCEEDED else ""
    return f"{_STATUS_IN_SENTENCE[Status(run.status)]}{duration}{reason}"


class TickPrinter:
    """Prints the result of ticks. Verbosity 1: claimed runs, ended runs, why nothing is claimed. 2: lost runs, too.

    A quiet printer leaves out the start, claimed runs, and runs that succeeded.
    """

    def __init__(self, write: Callable[[str], None], verbosity: int, *, is_quiet: bool = False) -> None:
        self._write, self._verbosity, self._is_quiet = write, verbosity, is_quiet
        self._suspended_because = NO_REASON
        self._draining = self._copied = False

    def __call__(self, result: TickResult) -> None:
        if result.suspended_because and result.suspended_because != self._suspended_because:
            self.print(f"nothing is claimed or closed as lost for one lease: {result.suspended_because}")
        self._suspended_because = result.suspended_because
        if result.is_database_copied and not self._copied:
            self.print(pauses.database_copy_message())
        self._copied = result.is_database_copied
        if result.draining and not self._draining:
            self.print("this host is draining: nothing is claimed; see manage.py drain --undo")
        self._draining = result.draining
        for run in result.claimed if not self._is_quiet else ():
            self.print(f"claimed {describe_run(run)} ({run.pk})")
        for run in result.lost if self._verbosity >= 2 else ():
            self.print(f"lost {describe_run(run)} ({run.pk}): {run.reason}")

    def print_start(self, name: str, description: str) -> None:
        """Print what this command will do, and the lines of ``start_report``."""
        if self._verbosity >= 1 and not self._is_quiet:
            for line in (f"{name} on {settings.hostname}: {description}", *start_report.startup_log_lines()):
                self.print(line)

    def print_ended_run(self, job_id: int) -> None:
        """Print the result of the job's run that has just ended in this process."""
        if self._verbosity < 1:
            return
        try:
            closed = Run.objects.filter(job=job_id).exclude(status__in=[*OPEN_STATUSES, Status.SKIPPED])
            run = closed.select_related("job").order_by("-token").first()
        except Error:  # only this line is lost; the supervisor reports the result
            return
        if run is not None and not (self._is_quiet and run.status == Status.SUCCEEDED):
            self.print(f"{describe_run(run)} {run_result_text(run)} ({run.pk})")

    def print(self, text: str) -> None:
        if self._verbosity >= 1:
            self._write(to_one_line(text))

"""What the commands share: how they name a job, and what they say."""

from __future__ import annotations

import difflib
import getpass
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import CommandError
from django.db import Error
from django.utils import timezone

from chroniker import outbox
from chroniker.checks import TAG
from chroniker.conf import settings
from chroniker.escaping import one_line, shortened
from chroniker.models import Group, Job, Run, Trigger
from chroniker.scheduler.shutdown_signals import ShutdownSignals
from chroniker.scheduler.tick_result import TickResult

#: Not all the project's checks: these commands start every minute.
CHECKS = (TAG,)

#: How soon the end of what is waited for is noticed.
POLL_SECONDS = 0.1

#: Of how many jobs at most the names are compared with one that does not exist.
MOST_COMPARED = 10_000


def job_named(text: str) -> Job:
    """The job of this name or id. Raises ``CommandError`` that shows the nearest name."""
    try:
        return Job.from_name_or_id(text)
    except (Job.DoesNotExist, OverflowError):
        said = f"There is no job named or numbered “{shortened(one_line(text), 200)}”."
        raise CommandError(f"{said}{_nearest(text)}") from None


def jobs_named(texts: Iterable[str]) -> list[Job]:
    return [job_named(text) for text in texts]


def group_named(name: str) -> Group:
    """The group of this name. Raises ``CommandError`` that shows the nearest one."""
    group = Group.objects.filter(name=name).first()
    if group is None:
        raise CommandError(f"There is no group named “{shortened(one_line(name), 200)}”.{_nearest(name, Group)}")
    return group


def _nearest(text: str, kind: type[Job] | type[Group] = Job) -> str:
    names = list(kind.objects.order_by("name").values_list("name", flat=True)[:MOST_COMPARED])
    if not names:
        return f" There are no {kind._meta.verbose_name_plural} yet; add one in the admin."
    near = difflib.get_close_matches(text[:200], names, n=1, cutoff=0.5)
    return f" Did you mean “{one_line(near[0])}”?" if near else " The admin lists them all."


def stay_for_messages(asked: ShutdownSignals, seconds: float) -> None:
    """While messages about runs are being sent, but no longer than this, nor after a second signal to end."""
    until = time.monotonic() + seconds
    while outbox.is_sending() and asked.count < 2 and time.monotonic() < until:
        time.sleep(POLL_SECONDS)


def shutdown_grace() -> float | None:
    """Seconds that runs may go on when their process was asked to end; None: until they have ended."""
    grace = settings.shutdown_grace
    return None if grace is None else grace.total_seconds()


@contextmanager
def database_errors_explained() -> Iterator[None]:
    """No traceback for a database that is not there; ``--traceback`` still shows it."""
    try:
        yield
    except Error as error:
        question = "Is it running and reachable, and were the migrations applied?"
        raise CommandError(f"The database cannot be used: {str(error).strip()}\n{question}") from error


def who(command: str) -> str:
    """For the record: this command, by whom, and on which host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        user = f"user {os.getuid()}"
    return f"manage.py {command} by {user} on {settings.hostname}"


def describe(run: Run) -> str:
    """Which run of which job, and why. Without its id: a run that is only foretold has none."""
    if run.parent_id is not None:
        return one_line(f"“{run.job.name}”: run {run.token}, on {run.required_host}")
    why = {Trigger.SCHEDULE: f"for {local(run.scheduled_for)}", Trigger.RETRY: f"attempt {run.attempt}"}
    return one_line(f"“{run.job.name}”: run {run.token}, {why.get(Trigger(run.trigger), 'by hand')}")


def local(moment: Any) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" if moment else "no instant"


class TickPrinter:
    """Prints what a pass did: the claimed runs at verbosity 1, why none could be, the lost ones too at verbosity 2."""

    def __init__(self, write: Callable[[str], None], verbosity: int) -> None:
        self._write, self._verbosity = write, verbosity
        self._quiet = ""

    def __call__(self, done: TickResult) -> None:
        if done.suspended_because and done.suspended_because != self._quiet:
            self.say(f"nothing is claimed, and nothing counts as lost, for one lease: {done.suspended_because}")
        self._quiet = done.suspended_because
        for run in done.claimed if self._verbosity >= 1 else ():
            self.say(f"claimed {describe(run)} ({run.pk})")
        for run in done.lost if self._verbosity >= 2 else ():
            self.say(f"lost {describe(run)} ({run.pk}): {run.reason}")

    def say(self, text: str) -> None:
        if self._verbosity >= 1:
            self._write(one_line(text))

"""Jobs that cannot run as the project is now. Asks the database, so only with ``--database``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.db import DatabaseError
from django.db.models import QuerySet

from chroniker.conf import settings
from chroniker.eligibility import hosts
from chroniker.exceptions import CommandRefused
from chroniker.job_commands import policy
from chroniker.models import Job

#: Neither the answer nor the work grows with the table beyond this.
MOST_NAMED, MOST_COMMANDS, MOST_TARGETS = 10, 1000, 1000


def check_jobs(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """W006, W007, W010."""
    if settings.database not in (databases or ()) or not isinstance(settings.executors, Mapping):
        return []
    try:
        return [*_executors(), *_commands(), *_targets()]
    except DatabaseError:  # migrate runs the database checks too, before there is a table
        return []


def _executors() -> list[CheckMessage]:
    jobs = Job.objects.filter(enabled=True).exclude(executor__in=list(settings.executors))
    known = ", ".join(sorted(settings.executors))
    return [
        Warning(
            f"CHRONIKER_EXECUTORS has no “{alias}”, the executor of {_named(jobs.filter(executor=alias))}.",
            hint=f"Their runs wait until there is one. There is: {known}.",
            id="chroniker.W006",
        )
        for alias in jobs.order_by("executor").values_list("executor", flat=True).distinct()[:MOST_NAMED]
    ]


def _commands() -> list[CheckMessage]:
    enabled = Job.objects.filter(enabled=True)
    used = enabled.exclude(command="").order_by("command").values_list("command", flat=True).distinct()[:MOST_COMMANDS]
    found = [message for name in used if (message := _command(name))]
    return [*found, *_raw_commands()][:MOST_NAMED]


def _command(name: str) -> CheckMessage | None:
    try:
        policy.management_argv(name, "")
    except CommandRefused as refusal:
        return _refused(str(refusal), Job.objects.filter(enabled=True, command=name))
    return None


def _raw_commands() -> list[CheckMessage]:
    raw = Job.objects.filter(enabled=True).exclude(raw_command="")
    if settings.raw_commands_allowed or not raw.exists():
        return []
    return [_refused("Raw commands are switched off (CHRONIKER_DISABLE_RAW_COMMAND).", raw)]


def _refused(reason: str, jobs: QuerySet[Job]) -> CheckMessage:
    return Warning(
        f"Every run of {_named(jobs)} will fail. {reason}", hint="Edit or disable these jobs.", id="chroniker.W007"
    )


def _targets() -> list[CheckMessage]:
    """Hosts that enabled jobs aim at and that are not live, each with its jobs."""
    aiming = Job.objects.filter(enabled=True).exclude(hostname="")
    targets = aiming.order_by("hostname", "executor").values_list("hostname", "executor").distinct()[:MOST_TARGETS]
    jobs = [Job(pk=number, hostname=host, executor=alias) for number, (host, alias) in enumerate(targets)]
    missing = hosts.jobs_without_live_host(jobs)
    return [
        Warning(
            f"{_named(aiming.filter(hostname=job.hostname, executor=job.executor))}: {missing[job.pk]}",
            hint="Start a worker, cron or cronserver there, or edit these jobs; until then they wait or are skipped.",
            id="chroniker.W010",
        )
        for job in [job for job in jobs if job.pk in missing][:MOST_NAMED]
    ]


def _named(jobs: QuerySet[Job]) -> str:
    names = list(jobs.order_by("name").values_list("name", flat=True)[: MOST_NAMED + 1])
    more = " and others" if len(names) > MOST_NAMED else ""
    return ", ".join(f"“{name}”" for name in names[:MOST_NAMED]) + more

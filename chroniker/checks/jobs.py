"""Jobs that cannot run with the present settings. Queries the database, so only with ``--database``."""

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

#: Limits of the messages and of the work, whatever the number of jobs.
MAX_NAMES_PER_MESSAGE, MAX_COMMANDS, MAX_REQUIRED_HOSTS = 10, 1000, 1000


def check_jobs(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Reports W006, W007, W010."""
    if settings.database not in (databases or ()) or not isinstance(settings.executors, Mapping):
        return []
    try:
        return [*_check_executors(), *_check_commands(), *_check_required_hosts()]
    except DatabaseError:  # migrate runs these checks before the tables exist
        return []


def _check_executors() -> list[CheckMessage]:
    jobs = Job.objects.filter(enabled=True).exclude(executor__in=list(settings.executors))
    known = ", ".join(sorted(map(str, settings.executors)))
    return [
        Warning(
            f"CHRONIKER_EXECUTORS has no executor “{alias}”, which {_join_job_names(jobs.filter(executor=alias))} use.",
            hint=f"Add it, or edit these jobs. Their runs wait until then. Known executors: {known}.",
            id="chroniker.W006",
        )
        for alias in jobs.order_by("executor").values_list("executor", flat=True).distinct()[:MAX_NAMES_PER_MESSAGE]
    ]


def _check_commands() -> list[CheckMessage]:
    enabled = Job.objects.filter(enabled=True)
    used = enabled.exclude(command="").order_by("command").values_list("command", flat=True).distinct()[:MAX_COMMANDS]
    found = [message for name in used if (message := _check_command(name))]
    return [*found, *_check_raw_commands()][:MAX_NAMES_PER_MESSAGE]


def _check_command(name: str) -> CheckMessage | None:
    try:
        policy.management_argv(name, "")
    except CommandRefused as refusal:
        return _rejected_command_warning(str(refusal), Job.objects.filter(enabled=True, command=name))
    return None


def _check_raw_commands() -> list[CheckMessage]:
    raw = Job.objects.filter(enabled=True).exclude(raw_command="")
    if settings.raw_commands_allowed or not raw.exists():
        return []
    return [_rejected_command_warning("Raw commands are disabled (CHRONIKER_DISABLE_RAW_COMMAND).", raw)]


def _rejected_command_warning(reason: str, jobs: QuerySet[Job]) -> CheckMessage:
    return Warning(
        f"Every run of {_join_job_names(jobs)} will fail. {reason}",
        hint="Edit or disable these jobs.",
        id="chroniker.W007",
    )


def _check_required_hosts() -> list[CheckMessage]:
    """Required hosts of enabled jobs that are not live, each with its jobs."""
    with_host = Job.objects.filter(enabled=True).exclude(hostname="")
    targets = (
        with_host.order_by("hostname", "executor").values_list("hostname", "executor").distinct()[:MAX_REQUIRED_HOSTS]
    )
    jobs = [Job(pk=number, hostname=host, executor=alias) for number, (host, alias) in enumerate(targets)]
    missing = hosts.no_live_host_messages(jobs)
    return [
        Warning(
            f"{_join_job_names(with_host.filter(hostname=job.hostname, executor=job.executor))}: {missing[job.pk]}",
            hint="Start a worker, cron or cronserver there, or edit these jobs; until then they wait or are skipped.",
            id="chroniker.W010",
        )
        for job in [job for job in jobs if job.pk in missing][:MAX_NAMES_PER_MESSAGE]
    ]


def _join_job_names(jobs: QuerySet[Job]) -> str:
    names = list(jobs.order_by("name").values_list("name", flat=True)[: MAX_NAMES_PER_MESSAGE + 1])
    more = " and others" if len(names) > MAX_NAMES_PER_MESSAGE else ""
    return ", ".join(f"“{name}”" for name in names[:MAX_NAMES_PER_MESSAGE]) + more

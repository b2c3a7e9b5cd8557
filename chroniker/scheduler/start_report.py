"""Log lines at the start of a process that ticks: its database, its executors, the next due job, and a pause."""

from __future__ import annotations

import sys
from collections.abc import Collection
from contextlib import suppress

import django
from django.db import Error, connections

from chroniker.conf import settings
from chroniker.eligibility import pauses
from chroniker.escaping import to_one_line
from chroniker.models import Job, JobState
from chroniker.models.base import installed_version
from chroniker.wording.formats import zoned_time


def startup_log_lines() -> list[str]:
    """Return three lines, and one more if all jobs are paused; only two while the database cannot be used. The lines
    contain no passwords."""
    found = [versions_line(), f"database: {_database_line()}; executors: {_executors_line()}"]
    with suppress(Error):  # the first tick reports it
        found.append(f"jobs: {_jobs_line()}")
        pause = pauses.global_pause()
        if pause is not None and not pause.is_copy:  # each tick reports a copy
            found.append(str(pause))
    return [to_one_line(line) for line in found]


def versions_line() -> str:
    """The versions and the host of this process. They are the first things to know about a fault."""
    python = ".".join(map(str, sys.version_info[:3]))
    installed = f"chroniker {installed_version()}, Django {django.__version__}, Python {python}"
    return f"versions: {installed}; host: {settings.hostname}"


def worker_startup_log_lines(worker: str, queues: Collection[str], slots: int, aliases: Collection[str]) -> list[str]:
    """Log lines at the start of a worker: versions, host, database, runtime directory, executors, queues and slots."""
    work = f"executors: {', '.join(aliases) or 'none'}; queues: {', '.join(queues) or 'none'}; slots: {slots}"
    database = f"database: {_database_line()}; runtime directory: {settings.runtime_dir}"
    return [to_one_line(line) for line in (versions_line(), database, f"worker: {worker}; {work}")]


def _database_line() -> str:
    connection = connections[settings.database]
    name, host = connection.settings_dict["NAME"], connection.settings_dict["HOST"]
    return f"{connection.display_name} “{name}”{f' on {host}' if host else ''}"


def _executors_line() -> str:
    backends = {alias: str(config.get("BACKEND", "")) for alias, config in settings.executors.items()}
    return ", ".join(f"{alias} ({backend.rpartition('.')[2]})" for alias, backend in backends.items())


def _jobs_line() -> str:
    enabled = Job.objects.filter(enabled=True).count()
    if not enabled:
        return "none is enabled"
    booked = JobState.objects.filter(job__enabled=True, next_run__isnull=False).select_related("job")
    first = booked.order_by("next_run").first()
    if first is None or first.next_run is None:
        return f"{enabled} enabled; none has a next run yet"
    return f"{enabled} enabled; the next is “{first.job.name}”, {zoned_time(first.next_run)}"

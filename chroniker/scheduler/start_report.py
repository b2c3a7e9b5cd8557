"""Lines for the start of a process that ticks: which database and executors it uses, and what is due next."""

from __future__ import annotations

from contextlib import suppress

from django.db import Error, connections
from django.utils import timezone

from chroniker.conf import settings
from chroniker.escaping import one_line
from chroniker.models import Job, JobState


def lines() -> list[str]:
    """Two lines; only the first one while the database cannot be used. No password is in them."""
    found = [f"database: {_database()}; executors: {_executors()}"]
    with suppress(Error):  # the first tick reports it
        found.append(f"jobs: {_jobs()}")
    return [one_line(line) for line in found]


def _database() -> str:
    connection = connections[settings.database]
    name, host = connection.settings_dict["NAME"], connection.settings_dict["HOST"]
    return f"{connection.display_name} “{name}”{f' on {host}' if host else ''}"


def _executors() -> str:
    backends = {alias: str(config.get("BACKEND", "")) for alias, config in settings.executors.items()}
    return ", ".join(f"{alias} ({backend.rpartition('.')[2]})" for alias, backend in backends.items())


def _jobs() -> str:
    enabled = Job.objects.filter(enabled=True).count()
    if not enabled:
        return "none is enabled"
    booked = JobState.objects.filter(job__enabled=True, next_run__isnull=False).select_related("job")
    first = booked.order_by("next_run").first()
    if first is None or first.next_run is None:
        return f"{enabled} enabled; none has a next run yet"
    return (
        f"{enabled} enabled; the next is “{first.job.name}”, {timezone.localtime(first.next_run):%Y-%m-%d %H:%M:%S %Z}"
    )

"""Hosts: their heartbeats, which hosts are live for which executors, and on which hosts starts are suspended."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.models import EVERY_HOST, Host, HostService, Job, JobDependency, Lease
from chroniker.models.base import installed_version
from chroniker.models.conflicts import retry_after_conflict
from chroniker.reasons import Code, Reason

logger = logging.getLogger(__name__)

#: How often a long-running process records that its host is alive.
HEARTBEAT_SECONDS = 60.0
#: A host without a heartbeat for this long counts as silent. A crontab ticks every minute.
HOST_SILENT_AFTER = dt.timedelta(minutes=5)
#: A larger clock skew gets a warning. It decides nothing, but it makes the times in the host's logs misleading.
CLOCK_SKEW_WARNING_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker reports about itself, for one executor. ``None`` and empty: unknown."""

    executor: str
    worker: str = ""
    queues: Sequence[str] = ()
    slots: int | None = None
    busy: int | None = None
    started_at: dt.datetime | None = None


_REPORTED_COLUMNS = ("last_seen", "queues", "slots", "busy", "version", "started_at", "ended_at")


@retry_after_conflict
def record_heartbeat(served_executors: Iterable[str | WorkerReport] = (), *, host_name: str = "") -> None:
    """Record that this host is alive, and its clock skew.

    ``served_executors``: the executors whose runs the calling process executes. The host is *live* for them until its
    heartbeats are too old.
    """
    reading = jump_detection.read_clock()
    host, _created = Host.objects.update_or_create(
        name=host_name or settings.hostname, defaults={"last_seen": reading.now, **_clock_columns(reading)}
    )
    services = [_make_service(each, host, reading.now) for each in served_executors]
    targeted = connections[settings.database].features.supports_update_conflicts_with_target
    unique = ["host", "executor", "worker"] if targeted else None
    HostService.objects.bulk_create(
        services, update_conflicts=True, update_fields=_REPORTED_COLUMNS, unique_fields=unique
    )


def _make_service(report: str | WorkerReport, host: Host, now: dt.datetime) -> HostService:
    if isinstance(report, str):
        report = WorkerReport(report)
    row = HostService(host=host, executor=report.executor, worker=report.worker, last_seen=now)
    row.queues, row.slots, row.busy = list(report.queues), report.slots, report.busy
    row.version, row.started_at = installed_version(), report.started_at
    return row


def record_worker_shutdowns(reports: Iterable[WorkerReport]) -> None:
    """Record that these workers of this host have shut down. The host stays live until its heartbeats are too old."""
    for report in reports:
        rows = HostService.objects.filter(host__name=settings.hostname, executor=report.executor, worker=report.worker)
        rows.update(ended_at=NowPlus(), busy=0)


def _clock_columns(reading: jump_detection.ClockReading) -> dict[str, Any]:
    until = reading.now + dt.timedelta(seconds=reading.suspension_seconds_left) if reading.suspended_because else None
    return {
        "clock_skew_seconds": round(reading.skew_seconds, 3),
        "suspended_until": until,
        "suspended_because": reading.suspended_because.to_text(),
    }


def record_clock_skew(reading: jump_detection.ClockReading) -> None:
    """Record this host's clock skew if it changed much. Otherwise the next ``record_heartbeat`` records it."""
    if jump_detection.record_skew_if_changed(reading):
        Host.objects.filter(name=settings.hostname).update(clock_skew_seconds=round(reading.skew_seconds, 3))
        if abs(reading.skew_seconds) > CLOCK_SKEW_WARNING_SECONDS:
            logger.warning("This host's clock differs from the database's clock by %+.1f s.", reading.skew_seconds)


def record_suspension_of_starts(reading: jump_detection.ClockReading, *, host_name: str = "") -> None:
    """Record that starts and expiry are suspended on this host, until when, and why."""
    Host.objects.filter(name=host_name or settings.hostname).update(**_clock_columns(reading))


def suspension_reason(host: Host) -> Reason:
    """Why starts and expiry are suspended on this host; empty if they are not suspended."""
    return Reason.from_text(host.suspended_because)


def suspension_messages() -> list[str]:
    """For people: on which hosts starts are suspended, until when, and why. One statement."""
    hosts = Host.objects.filter(suspended_until__gt=NowPlus()).order_by("name")
    words = _("%(why)s Until %(time)s, the host “%(host)s” starts no runs and expires no leases.")
    return [
        words
        % {
            "why": suspension_reason(host),
            "host": host.name,
            "time": f"{timezone.localtime(host.suspended_until):%H:%M:%S}",
        }
        for host in hosts
    ]


def services_of_live_hosts() -> QuerySet[HostService]:
    """The rows of live hosts: those with a heartbeat for their executor within ``CHRONIKER_HOST_TIMEOUT``."""
    return HostService.objects.filter(last_seen__gt=NowPlus(-settings.host_timeout))


def live_hosts_by_executor(executor_aliases: Collection[str]) -> dict[str, list[Host]]:
    """By executor: its live hosts, in the order of their names. One statement; none for an empty list."""
    found: dict[str, list[Host]] = defaultdict(list)
    if executor_aliases:
        for service in (
            services_of_live_hosts().filter(executor__in=executor_aliases).select_related("host").order_by("host__name")
        ):
            if service.host not in found[service.executor]:  # a host may have several workers
                found[service.executor].append(service.host)
    return found


def no_live_host_messages(jobs: Iterable[Job]) -> dict[int, str]:
    """By job: a message if the job's host is not live; for a job on every host, if no host is. At most one
    statement."""
    aiming = [job for job in jobs if job.hostname]
    names = {
        alias: {host.name for host in found}
        for alias, found in live_hosts_by_executor({job.executor for job in aiming}).items()
    }
    missing = {}
    for job in aiming:
        served = names.get(job.executor, set())
        if not served or job.hostname not in {EVERY_HOST, *served}:
            missing[job.pk] = no_live_host_message(job)
    return missing


def no_live_host_message(job: Job) -> str:
    """For people: no live host can execute this job."""
    words = {"host": job.hostname, "executor": job.executor, "seconds": f"{settings.host_timeout.total_seconds():g}"}
    if job.hostname == EVERY_HOST:
        return str(Code.NO_HOST.label) % words
    text = _(
        "Its host “%(host)s” is not live: in the last %(seconds)s s it did not report that it serves “%(executor)s”."
    )
    return text % words


def exclude_dependees_open_on_every_host(dependencies: QuerySet[JobDependency]) -> QuerySet[JobDependency]:
    """Leave out dependencies whose dependee has an open run on every host: its dependents wait for that run."""
    parent_lease = Lease.objects.filter(job=OuterRef("dependee"), slot="", run__required_host=EVERY_HOST)
    return dependencies.filter(~Exists(parent_lease))

"""Draining of a host: it claims and starts nothing more, so that a shutdown interrupts no run.

A drain is recorded in the host's row. It ends by request, or when a worker, beat or cronserver starts on the host:
then the deployment for which the host was drained has taken place.
"""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from chroniker.clock.database_clock import NowPlus, database_now
from chroniker.conf import settings
from chroniker.models import Host, HostService, Run, Status
from chroniker.wording.formats import full_time

#: A worker, and the queues that it consumes.
WorkerWithQueues = tuple[str, str, list[str]]


def record_drain_of_this_host(requested_by: str) -> list[WorkerWithQueues]:
    """Record that this host claims and starts nothing more. If it is draining already, nothing is changed.

    Returns executor, name and queues of each worker of this host, so that the caller can notify it.
    """
    Host.objects.get_or_create(name=settings.hostname, defaults={"last_seen": database_now()})
    here = Host.objects.filter(name=settings.hostname, draining_since=None)
    workers = _read_running_workers_of_this_host()
    here.update(draining_since=NowPlus(), draining_by=requested_by[:150], draining_workers=workers)
    return workers


def record_end_of_drain_of_this_host() -> list[WorkerWithQueues] | None:
    """End the drain; returns the workers that should consume their queues again; ``None`` if this host was not
    draining.

    A worker that has shut down since is left out: a new worker with its name may consume other queues.
    """
    row = select_this_host_if_draining().values_list("draining_workers", flat=True).first()
    if row is None or not select_this_host_if_draining().update(
        draining_since=None, draining_by="", draining_workers=[]
    ):
        return None
    live = {(executor, worker) for executor, worker, _queues in _read_running_workers_of_this_host()}
    return [(executor, worker, queues) for executor, worker, queues in row if (executor, worker) in live]


def _read_running_workers_of_this_host() -> list[WorkerWithQueues]:
    services = HostService.objects.filter(host__name=settings.hostname, ended_at=None)
    return [(each.executor, each.worker, list(each.queues or [])) for each in services if each.worker]


def select_this_host_if_draining() -> QuerySet[Host]:
    """The row of this host, while it is draining; else no row."""
    return Host.objects.filter(name=settings.hostname, draining_since__isnull=False)


def drain_messages() -> list[str]:
    """For people: which hosts are draining, since when and by whom. One statement."""
    hosts = Host.objects.filter(draining_since__isnull=False).order_by("name")
    return [str(drain_message(host)) for host in hosts]


def drain_message(host: Host) -> str:
    """For people: since when this host, which is draining, claims and starts nothing, and who requested it."""
    words = {"host": host.name, "time": full_time(host.draining_since), "who": host.draining_by}
    text = _(
        "The host “%(host)s” has been draining since %(time)s, at the request of %(who)s: it claims and starts no runs."
    )
    return text % words


def open_runs_on_host(host_name: str = "") -> QuerySet[Run]:
    """The running runs of this host, for which its drain waits; without a name, all open runs. The oldest first."""
    runs = Run.objects.filter(children=None).select_related("job").order_by("claimed_at")
    if host_name:
        return runs.filter(status=Status.RUNNING, host=host_name)
    return runs.filter(status__in=[Status.CLAIMED, Status.RUNNING])

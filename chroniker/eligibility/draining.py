"""Draining of a host: it claims and starts nothing more, so that a shutdown interrupts no run.

A drain is recorded in the host's row. It ends by request, or when a worker, beat or cronserver starts on the host:
then the deployment for which the host was drained has taken place.
"""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from chroniker.clock.database_clock import FromNow, database_now
from chroniker.conf import settings
from chroniker.models import Host, HostService, Run, Status
from chroniker.wording.formats import full_time

#: A worker, and the queues that it consumes.
Consumer = tuple[str, str, list[str]]


def begin_drain_here(requested_by: str) -> list[Consumer]:
    """Record that this host claims and starts nothing more. If it is draining already, nothing is changed.

    Returns executor, name and queues of each worker of this host, so that the caller can notify it.
    """
    Host.objects.get_or_create(name=settings.hostname, defaults={"last_seen": database_now()})
    here = Host.objects.filter(name=settings.hostname, draining_since=None)
    workers = _running_workers_here()
    here.update(draining_since=FromNow(), draining_by=requested_by[:150], draining_workers=workers)
    return workers


def end_drain_here() -> list[Consumer] | None:
    """End the drain; returns the workers that should consume their queues again; ``None`` if this host was not
    draining.

    A worker that has shut down since is left out: a new worker with its name may consume other queues.
    """
    row = this_host_if_draining().values_list("draining_workers", flat=True).first()
    if row is None or not this_host_if_draining().update(draining_since=None, draining_by="", draining_workers=[]):
        return None
    live = {(executor, worker) for executor, worker, _queues in _running_workers_here()}
    return [(executor, worker, queues) for executor, worker, queues in row if (executor, worker) in live]


def _running_workers_here() -> list[Consumer]:
    services = HostService.objects.filter(host__name=settings.hostname, ended_at=None)
    return [(each.executor, each.worker, list(each.queues or [])) for each in services if each.worker]


def this_host_if_draining() -> QuerySet[Host]:
    """The row of this host, while it is draining; else no row."""
    return Host.objects.filter(name=settings.hostname, draining_since__isnull=False)


def drain_messages() -> list[str]:
    """For people: which hosts are draining, since when and by whom. One statement."""
    hosts = Host.objects.filter(draining_since__isnull=False).order_by("name")
    return [str(drain_message(host)) for host in hosts]


def drain_message(host: Host) -> str:
    """For people: since when this host, which is draining, claims and starts nothing, and who requested it."""
    words = {"host": host.name, "time": full_time(host.draining_since), "who": host.draining_by}
    return _("The host “%(host)s” has been draining since %(time)s (%(who)s): it claims and starts nothing.") % words


def open_runs_on_host(host_name: str = "") -> QuerySet[Run]:
    """The running runs of this host, for which its drain waits; without a name, all open runs. The oldest first."""
    runs = Run.objects.filter(children=None).select_related("job").order_by("claimed_at")
    if host_name:
        return runs.filter(status=Status.RUNNING, host=host_name)
    return runs.filter(status__in=[Status.CLAIMED, Status.RUNNING])

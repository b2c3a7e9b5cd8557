"""Draining of a host: it claims and starts nothing more, so that it can be shut down without interrupted runs.

It is recorded in the host's row. It ends by request, or when a worker, beat or cronserver starts on the host: that is
the deploy which the drain was for.
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


def drain(by: str) -> list[Consumer]:
    """This host claims and starts nothing more. A drain that has begun already keeps its beginning.

    Returns executor, name and queues of each worker of this host, so that the caller can tell it.
    """
    Host.objects.get_or_create(name=settings.hostname, defaults={"last_seen": database_now()})
    here = Host.objects.filter(name=settings.hostname, draining_since=None)
    workers = _consumers()
    here.update(draining_since=FromNow(), draining_by=by[:150], draining_workers=workers)
    return workers


def end_drain() -> list[Consumer] | None:
    """``None``: this host was not draining. Else the workers that should consume their queues again.

    Workers that have shut down since are left out: under the same name another one may have started, with other queues.
    """
    row = draining_here().values_list("draining_workers", flat=True).first()
    if row is None or not draining_here().update(draining_since=None, draining_by="", draining_workers=[]):
        return None
    live = {(executor, worker) for executor, worker, _queues in _consumers()}
    return [(executor, worker, queues) for executor, worker, queues in row if (executor, worker) in live]


def _consumers() -> list[Consumer]:
    services = HostService.objects.filter(host__name=settings.hostname, ended_at=None)
    return [(each.executor, each.worker, list(each.queues or [])) for each in services if each.worker]


def draining_here() -> QuerySet[Host]:
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


def open_runs(name: str = "") -> QuerySet[Run]:
    """The runs that a drain of this host waits for; without a host, all open runs. The oldest first."""
    runs = Run.objects.filter(children=None).select_related("job").order_by("claimed_at")
    if name:
        return runs.filter(status=Status.RUNNING, host=name)
    return runs.filter(status__in=[Status.CLAIMED, Status.RUNNING])

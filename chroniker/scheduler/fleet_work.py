"""Periodic work for the whole fleet. A tick that moves the due time in the row of a work forward does this work."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from django.db import Error
from django.db.models import Exists, Expression, OuterRef, Q, QuerySet

from chroniker import lifecycle
from chroniker.clock.database_clock import NowPlus, StatementNowPlus
from chroniker.conf import settings
from chroniker.models import (
    Activation,
    Alarm,
    Alert,
    AlertMute,
    AuditEntry,
    Backfill,
    FailingChannel,
    FleetWork,
    Host,
    HostService,
    Job,
    Lease,
    Outbox,
    Run,
    RunHour,
    RunTotal,
    Ticker,
    TickMinute,
)
from chroniker.models.base import time_of_uuid7
from chroniker.models.conflicts import retry_after_conflict
from chroniker.outbox import heartbeat_url
from chroniker.process.kernel import host_clock
from chroniker.scheduler import guarantees

logger = logging.getLogger(__name__)

#: A pass starts no further portion of rows after this time.
TIME_LIMIT_PER_PASS = dt.timedelta(seconds=5)
#: Minutes of ticks, tickers and workers are kept this long; a host without a heartbeat is kept longer.
DAY = dt.timedelta(days=1)
#: Hourly counts, and messages about alarms and repeated alerts, are kept this long: the pages show 30 days.
HOURLY_COUNTS_KEPT_FOR = dt.timedelta(days=35)
#: Alerts are kept this long after their end.
ENDED_ALERTS_KEPT_FOR = dt.timedelta(days=90)
#: Activations that have ended are kept this long: a request with the same key changes nothing.
ENDED_ACTIVATIONS_KEPT_FOR = dt.timedelta(days=30)
#: Entries of the audit, and backfills that have ended, are kept this long.
AUDIT_ENTRIES_KEPT_FOR = dt.timedelta(days=365)
#: Rows of hourly counts or of the audit deleted by one statement.
ROWS_PER_DELETE = 10_000


@dataclass(frozen=True, slots=True)
class PeriodicWork:
    every: dt.timedelta
    do: Callable[[dt.datetime], object]
    waiting_rows: Callable[[], QuerySet[Any]] | None = None  #: if there is none of these rows, there is nothing to do
    is_enabled_by_settings: Callable[[], bool] = lambda: True  #: whether the settings ask for it


def add_closed_runs_to_hourly_counts(now: dt.datetime) -> None:
    """Add the closed runs to the hourly counts, portion by portion. The remaining runs are counted next time."""
    del now
    began = host_clock.monotonic()
    while (
        lifecycle.add_closed_runs_to_counters() and host_clock.monotonic() - began < TIME_LIMIT_PER_PASS.total_seconds()
    ):
        pass


def delete_old_records(now: dt.datetime) -> None:
    """Delete old records of ticks, counts, the audit, activations, backfills, silent workers and hosts, and alerts.

    The newest ticker is always kept.
    """
    TickMinute.objects.filter(minute__lt=now - DAY).delete()
    Alarm.objects.filter(raised_at=None, ended_at__lt=now - DAY).delete()
    _delete_old_rows_in_batches(Alert.objects.filter(ended_at__lt=now - ENDED_ALERTS_KEPT_FOR).order_by("ended_at"))
    AlertMute.objects.filter(ends_at__lt=now - HOURLY_COUNTS_KEPT_FOR).delete()
    _delete_old_messages(now - HOURLY_COUNTS_KEPT_FOR)
    FailingChannel.objects.filter(deferred_until__lt=now - HOURLY_COUNTS_KEPT_FOR).delete()
    RunTotal.objects.filter(start__lt=now - HOURLY_COUNTS_KEPT_FOR).delete()
    newest = Ticker.objects.order_by("-last_at").values_list("last_at", flat=True).first()
    if newest is not None:
        has_ended = Q(ended_at__isnull=False, last_at__lt=newest)
        Ticker.objects.filter(has_ended | Q(last_at__lt=newest - DAY)).delete()
    HostService.objects.filter(last_seen__lt=now - DAY).delete()
    _find_hosts_to_delete(now).delete()
    _delete_old_rows_in_batches(RunHour.objects.filter(hour__lt=now - HOURLY_COUNTS_KEPT_FOR).order_by("hour"))
    _delete_old_rows_in_batches(
        Activation.objects.filter(ended_at__lt=now - ENDED_ACTIVATIONS_KEPT_FOR).order_by("ended_at")
    )
    # Inserted while its target was being deleted: the database has no foreign key that would refuse it.
    has_target = Exists(Job.objects.filter(pk=OuterRef("target")))
    _delete_old_rows_in_batches(Activation.objects.filter(~has_target, ended_at__isnull=True))
    _delete_old_rows_in_batches(
        Backfill.objects.filter(finished_at__lt=now - AUDIT_ENTRIES_KEPT_FOR).order_by("finished_at")
    )
    _delete_old_rows_in_batches(AuditEntry.objects.filter(at__lt=now - AUDIT_ENTRIES_KEPT_FOR).order_by("at"))


def _delete_old_messages(before: dt.datetime) -> None:
    """Delete old messages about alarms, digests and repeats. Others are deleted with their run or alert."""
    rows = Outbox.objects.filter(Q(alert=None) | Q(sequence__gt=0), run=None)
    _delete_old_rows_in_batches(rows.filter(sent_at__lt=before).order_by("sent_at"))
    given_up = rows.filter(sent_at=None, send_at=None).order_by("pk").values_list("pk", "message_id")[:ROWS_PER_DELETE]
    rows.filter(pk__in=[pk for pk, message_id in given_up if time_of_uuid7(message_id) < before]).delete()


def _delete_old_rows_in_batches(old: QuerySet[Any]) -> None:
    began = host_clock.monotonic()
    while host_clock.monotonic() - began < TIME_LIMIT_PER_PASS.total_seconds():
        ids = list(old.values_list("pk", flat=True)[:ROWS_PER_DELETE])  # first: MariaDB has no LIMIT inside
        old.model._default_manager.filter(pk__in=ids).delete()
        if len(ids) < ROWS_PER_DELETE:
            break


def send_request_to_heartbeat_url(now: dt.datetime) -> None:
    """Send a request to the heartbeat URL, if one is set."""
    del now
    heartbeat_url.start_heartbeat_request()


def _find_hosts_to_delete(now: dt.datetime) -> QuerySet[Host]:
    """Hosts that were silent for a long time, and that are not the host of an enabled job or of an open run."""
    silent = Host.objects.filter(last_seen__lt=now - settings.host_retention, services=None)
    jobs = Job.objects.filter(enabled=True, hostname=OuterRef("name"))
    runs = Lease.objects.filter(Q(run__required_host=OuterRef("name")) | Q(run__host=OuterRef("name")))
    return silent.filter(~Exists(jobs), ~Exists(runs))


PERIODIC_WORK_BY_NAME = {
    "counts": PeriodicWork(
        dt.timedelta(seconds=10),
        add_closed_runs_to_hourly_counts,
        lambda: Run.objects.filter(uncounted_since__isnull=False),
    ),
    "deletion": PeriodicWork(dt.timedelta(hours=1), delete_old_records),
    "guarantees": PeriodicWork(guarantees.TEST_INTERVAL, guarantees.run_guarantee_tests),
    "heartbeat": PeriodicWork(
        dt.timedelta(minutes=1),
        send_request_to_heartbeat_url,
        is_enabled_by_settings=lambda: bool(settings.heartbeat_url),
    ),
}


def query_work_not_due(name: str, now: dt.datetime | Expression) -> QuerySet[FleetWork]:
    """The row of this work, unless the work is due. A due time more than one period ahead comes from a clock jump: then
    the work is due."""
    every = PERIODIC_WORK_BY_NAME[name].every
    latest = StatementNowPlus(every) if isinstance(now, Expression) else now + every
    return FleetWork.objects.filter(name=name, due_at__gt=now, due_at__lte=latest)


def enabled_periodic_work() -> dict[str, PeriodicWork]:
    """The work that the settings ask for, by name."""
    return {name: work for name, work in PERIODIC_WORK_BY_NAME.items() if work.is_enabled_by_settings()}


def do_due_periodic_work(names: Collection[str], now: dt.datetime) -> None:
    """Do the work with these names that no other tick has taken. A database error is logged; the tick continues."""
    for name in names:
        try:
            if _reserve_work(name):
                PERIODIC_WORK_BY_NAME[name].do(now)
        except Error:
            logger.exception(
                "The periodic work %r failed; it is tried again after %s.", name, PERIODIC_WORK_BY_NAME[name].every
            )


@retry_after_conflict
def _reserve_work(name: str) -> bool:
    """Move the due time of this work forward, if the work is due. ``True``: this tick moved it and does the work."""
    every = PERIODIC_WORK_BY_NAME[name].every
    later = NowPlus(every)
    is_due = Q(due_at__lte=NowPlus()) | Q(due_at__gt=later)
    if FleetWork.objects.filter(is_due, name=name).update(due_at=later):
        return True
    return FleetWork.objects.get_or_create(name=name, defaults={"due_at": later})[1]

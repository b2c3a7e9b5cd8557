"""What the health of the scheduler is derived from: five statements, at most every 3 s in each process."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from django.db import connections, transaction
from django.db.models import Q, QuerySet, Subquery

from chroniker.conf import settings
from chroniker.eligibility import due, groups, liveness, pauses
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.eligibility.liveness import SILENT_HOSTS_IGNORED_AFTER, WaitingQueue
from chroniker.executors.statement_limit import limit_statement_time
from chroniker.insights import jobs_in_trouble
from chroniker.insights.capped_counts import CountUpTo
from chroniker.insights.timed_cache import TimedCache
from chroniker.models import Host, HostService, Job, JobState, Outbox, Ticker
from chroniker.models.compiled import fetch_rows

logger = logging.getLogger(__name__)

#: The facts are read again after this time. A read that takes longer than the limit counts as failed.
CACHED_SECONDS, STATEMENT_TIMEOUT_SECONDS = 3.0, 2.0
#: A job is overdue after two periods of the tick, but not before this time.
MIN_OVERDUE_THRESHOLD = dt.timedelta(seconds=30)
#: A message that waits for longer is late.
MESSAGE_LATE_AFTER = dt.timedelta(minutes=2)
MAX_ROWS, MAX_MESSAGES = 500, 100
#: Jobs of each kind that are counted as in need of a person.
MAX_PROBLEMS_PER_KIND = 21


@dataclass(frozen=True, slots=True)
class LateMessage:
    since: dt.datetime
    channel: str
    error: str


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """``services``, ``tickers``: the latest first; ``queues``, ``late_messages``: the oldest first."""

    tickers: list[Ticker]
    hosts: list[Host]
    services: list[HostService]
    queues: list[WaitingQueue]
    overdue_since: dt.datetime | None
    late_messages: list[LateMessage]
    problem_count: int = 0  #: jobs that are failing, lost a run, are overdue or have a schedule error; and alerts


_cache: TimedCache[HealthFacts | None] = TimedCache()
clear_cached_health_facts = _cache.forget


def get_cached_health_facts(now: dt.datetime) -> HealthFacts | None:
    """The facts, read at most every 3 s. ``None``: they could not be read, or not in time."""
    return _cache.get(CACHED_SECONDS, lambda: _read_facts_within_time_limit(now))


def _read_facts_within_time_limit(now: dt.datetime) -> HealthFacts | None:
    began = time.monotonic()
    try:
        with ExitStack() as stack:
            stack.enter_context(limit_statement_time(settings.database, STATEMENT_TIMEOUT_SECONDS))
            if connections[settings.database].in_atomic_block:  # the request's: an error must not break it
                stack.enter_context(transaction.atomic(using=settings.database))
            facts = read_health_facts(now)
    except Exception as error:  # each driver has its own errors: the health is unknown
        logger.warning("The health of the scheduler could not be read: %s: %s", type(error).__name__, error)
        return None
    return facts if time.monotonic() - began <= STATEMENT_TIMEOUT_SECONDS else None


def read_health_facts(now: dt.datetime) -> HealthFacts:
    """Five statements: tickers, hosts with their workers, queued runs, jobs in trouble, late messages."""
    tickers = liveness.read_latest_tickers()
    hosts, services = _fetch_hosts_and_services(now)
    services.sort(key=lambda service: service.last_seen, reverse=True)
    overdue_since, problem_count = _read_overdue_time_and_problem_count(tickers, now)
    return HealthFacts(
        tickers,
        hosts,
        services,
        liveness.find_queues_with_waiting_runs(),
        overdue_since,
        _fetch_late_messages(now),
        problem_count,
    )


def _fetch_hosts_and_services(now: dt.datetime) -> tuple[list[Host], list[HostService]]:
    """One statement: a host that only ticks has no services."""
    own = [field.attname for field in Host._meta.concrete_fields]
    theirs = [field.attname for field in HostService._meta.concrete_fields]
    rows = Host.objects.filter(last_seen__gt=now - SILENT_HOSTS_IGNORED_AFTER).order_by("-last_seen", "pk")
    hosts: dict[int, Host] = {}
    services = []
    for row in rows.values_list(*own, *(f"services__{name}" for name in theirs))[:MAX_ROWS]:
        host = hosts.setdefault(row[0], Host(**dict(zip(own, row[: len(own)], strict=True))))
        values = dict(zip(theirs, row[len(own) :], strict=True))
        if (
            values["id"] is not None
            and values["ended_at"] is None
            and values["last_seen"] > now - SILENT_HOSTS_IGNORED_AFTER
        ):
            service = HostService(**values)
            service.host = host
            services.append(service)
    return list(hosts.values()), services


def _read_overdue_time_and_problem_count(tickers: Sequence[Ticker], now: dt.datetime) -> tuple[dt.datetime | None, int]:
    """Since when a job is overdue, and how many jobs need a person. One statement."""
    since = {
        "late_since": now - overdue_threshold(tickers),
        "lost_since": now - jobs_in_trouble.LOST_RUN_ATTENTION_TIME,
    }
    for overdue_since, *counts in fetch_rows(_trouble_counts_query, **since):
        return overdue_since, sum(counts)
    return None, 0  # there is no job


def _trouble_counts_query(late_since: dt.datetime, lost_since: dt.datetime) -> QuerySet[Job, Any]:
    """One row: when the first overdue job was due, and the number of jobs in trouble of each kind."""
    late = overdue_states(late_since)
    counts = {
        "n_failing": CountUpTo(jobs_in_trouble.failing_states(), MAX_PROBLEMS_PER_KIND),
        "n_lost": CountUpTo(jobs_in_trouble.unresolved_lost_runs(lost_since), MAX_PROBLEMS_PER_KIND, column="job"),
        "n_late": CountUpTo(late, MAX_PROBLEMS_PER_KIND),
        "n_alerted": CountUpTo(jobs_in_trouble.open_alerts_about_time_or_backfill(), MAX_PROBLEMS_PER_KIND),
        "n_broken": CountUpTo(jobs_in_trouble.states_with_schedule_error(), MAX_PROBLEMS_PER_KIND),
    }
    rows = Job.objects.annotate(since=Subquery(late.values("next_run")[:1]), **counts).order_by("pk")
    return rows.values_list("since", *counts)[:1]


def overdue_threshold(tickers: Sequence[Ticker]) -> dt.timedelta:
    """How long a job may be due before it is overdue. Depends on the period of the latest ticker, which
    is the first of ``tickers``."""
    return max([MIN_OVERDUE_THRESHOLD, *(dt.timedelta(seconds=2 * ticker.period) for ticker in tickers[:1])])


def get_cached_overdue_threshold(now: dt.datetime) -> dt.timedelta:
    """``overdue_threshold`` by the cached facts; its minimum if they cannot be read."""
    facts = get_cached_health_facts(now)
    return overdue_threshold(facts.tickers if facts else ())


def overdue_states(before: dt.datetime) -> QuerySet[JobState]:
    """Jobs that a tick should have claimed before this moment, the longest waiting first. A job is not overdue
    while a pause, its group, a dependency or its own run holds it back."""
    if settings.paused:
        return JobState.objects.none()
    held = Q(job__group__in=groups.paused_or_full_groups())
    return due.find_due_jobs(SCHEDULED, before, check_groups=False).filter(
        Q(job__group=None) | ~held, ~pauses.all_jobs_paused_condition()
    )


def _fetch_late_messages(now: dt.datetime) -> list[LateMessage]:
    """Messages that were tried without success, or that nobody has tried in time."""
    late = Outbox.objects.filter(Q(attempts__gt=0) | Q(send_at__lt=now - MESSAGE_LATE_AFTER), send_at__isnull=False)
    rows = late.order_by("run__finished_at", "pk").values_list("run__finished_at", "send_at", "channel", "error")
    return [
        LateMessage(closed or due_at or now, channel, error) for closed, due_at, channel, error in rows[:MAX_MESSAGES]
    ]

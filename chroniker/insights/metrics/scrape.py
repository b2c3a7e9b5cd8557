"""The metrics as text: read at most every 5 s in each process, all of them or none."""

from __future__ import annotations

from contextlib import ExitStack

from django.db import connections, transaction

from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.executors.statement_limit import limit_statement_time
from chroniker.insights.metrics import exposition, fleet_values, job_values, message_values
from chroniker.insights.metrics.families import Samples
from chroniker.insights.timed_cache import TimedCache

CACHED_SECONDS = 5.0
#: Each statement has to end within this time: Prometheus waits 10 s for all of them.
STATEMENT_TIMEOUT_SECONDS = 5.0

_cache: TimedCache[Samples] = TimedCache()
clear_cached_metrics = _cache.forget


def metrics_text(*, openmetrics: bool = False) -> str:
    """Raises the driver's error if the database cannot be used."""
    return exposition.format_samples(_cache.get(CACHED_SECONDS, read_samples), openmetrics=openmetrics)


def read_samples() -> Samples:
    """At most 12 statements, however many jobs there are."""
    with ExitStack() as stack:
        stack.enter_context(limit_statement_time(settings.database, STATEMENT_TIMEOUT_SECONDS))
        if connections[settings.database].in_atomic_block:  # of the request: an error must not break it
            stack.enter_context(transaction.atomic(using=settings.database))
        now = database_now()
        of_jobs, labelled = job_values.read_job_samples(now, settings.metrics_jobs)
        of_fleet = fleet_values.read_fleet_samples(now)
        left_out = sum(number for _labels, number in of_fleet["jobs"]) - labelled
        return {
            **of_jobs,
            **of_fleet,
            **message_values.read_message_samples(now),
            "metrics_jobs_left_out": [((), max(0, left_out))],
        }

"""The metrics of all jobs together, of the processes that tick, and of hosts. Six statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.db.models import Case, Count, IntegerField, Min, Q, Value, When

from chroniker.conf import settings
from chroniker.eligibility import liveness
from chroniker.insights import health_facts
from chroniker.insights.metrics.families import Samples
from chroniker.models import OPEN_STATUSES, Host, Job, Run, RunCount, Status
from chroniker.models.base import installed_version

DAY = dt.timedelta(days=1)
MAX_HOSTS = 500
OUTCOME_LABELS = ("succeeded", "failed", "timed_out", "stopped", "lost")
#: The states of jobs: the first that applies.
JOB_STATE_LABELS = ("disabled", "schedule_error", "held", "failing", "ok")
_COUNT_COLUMNS = ("outcome", "runs", "seconds")
_OPEN_RUN_STATE_LABELS = {Status.CLAIMED: "queued", Status.RUNNING: "running"}


def read_fleet_samples(now: dt.datetime) -> Samples:
    return {
        **_samples_of_jobs(),
        **_samples_of_due_jobs(now),
        **_samples_of_closed_runs(),
        **_samples_of_open_runs(now),
        **_samples_of_tickers(now),
        **_samples_of_hosts(now),
        "build_info": [((installed_version(),), 1)],
    }


def _samples_of_jobs() -> Samples:
    state = Case(
        When(enabled=False, then=Value(0)),
        When(state__schedule_error_since__isnull=False, then=Value(1)),
        When(state__held_at__isnull=False, then=Value(2)),
        When(state__failing_since__isnull=False, then=Value(3)),
        default=Value(4),
        output_field=IntegerField(),
    )
    counted = dict(Job.objects.order_by().values_list(state).annotate(n=Count("pk")))
    return {"jobs": [((name,), counted.get(number, 0)) for number, name in enumerate(JOB_STATE_LABELS)]}


def _samples_of_due_jobs(now: dt.datetime) -> Samples:
    """Jobs that a tick would claim now: no pause, group, dependency or open run holds them back."""
    found = health_facts.overdue_states(now).order_by().aggregate(n=Count("pk"), since=Min("next_run"))
    return {"due_jobs": [((), found["n"])], "due_oldest_seconds": [((), _age_seconds(found["since"], now))]}


def _samples_of_closed_runs() -> Samples:
    rows = {outcome: (runs, seconds) for outcome, runs, seconds in RunCount.objects.values_list(*_COUNT_COLUMNS)}
    none = 0, 0.0
    return {
        "runs_total": [((outcome,), rows.get(outcome, none)[0]) for outcome in OUTCOME_LABELS],
        "skips_total": [((), rows.get("skipped", none)[0])],
        "run_seconds_total": [((), sum(seconds for _runs, seconds in rows.values()))],
    }


def _samples_of_open_runs(now: dt.datetime) -> Samples:
    """Includes executors without an open run: an alert does not end if its value disappears."""
    rows = Run.objects.filter(status__in=OPEN_STATUSES, slot="").order_by().values("executor", "status")
    counted = {(row["executor"], row["status"]): row for row in rows.annotate(n=Count("pk"), since=Min("claimed_at"))}
    executors = sorted({*settings.executors, *(executor for executor, _status in counted)})
    none: dict[str, Any] = {"n": 0, "since": None}
    return {
        "runs_open": [
            ((name, executor), counted.get((executor, status), none)["n"])
            for executor in executors
            for status, name in _OPEN_RUN_STATE_LABELS.items()
        ],
        "queued_oldest_seconds": [
            ((executor,), _age_seconds(counted.get((executor, Status.CLAIMED), none)["since"], now))
            for executor in executors
        ],
    }


def _samples_of_tickers(now: dt.datetime) -> Samples:
    recent = [ticker for ticker in liveness.read_latest_tickers() if now - ticker.last_at <= DAY]
    return {
        "tick_timestamp_seconds": [((each.host, each.kind), each.last_at.timestamp()) for each in recent],
        "tick_pass_seconds": [((each.host, each.kind), each.pass_seconds) for each in recent],
    }


def _samples_of_hosts(now: dt.datetime) -> Samples:
    seen = Host.objects.filter(Q(last_seen__gt=now - DAY)).order_by("name")
    rows = list(seen.values_list("name", "last_seen", "clock_skew_seconds")[:MAX_HOSTS])
    return {
        "host_seen_timestamp_seconds": [((name,), last_seen.timestamp()) for name, last_seen, _skew in rows],
        "host_clock_skew_seconds": _samples_with_value((name, skew) for name, _seen, skew in rows),
    }


def _samples_with_value(rows: Iterable[tuple[str, float | None]]) -> list[tuple[tuple[str, ...], float]]:
    return [((name,), value) for name, value in rows if value is not None]


def _age_seconds(since: dt.datetime | None, now: dt.datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0

"""The metrics with the label ``job``: of the first jobs, enabled ones first. Three statements, however many jobs."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.db.models import FilteredRelation, Q, Sum

from chroniker.insights import health_facts
from chroniker.insights.metrics.families import Samples
from chroniker.models import Backfill, Job, Status

OUTCOME_LABELS = ("succeeded", "failed", "timed_out", "stopped", "lost")
_EXPORTED_STATE_COLUMNS = (
    *(f"n_{outcome}" for outcome in OUTCOME_LABELS),
    *("n_skipped", "seconds_total", "last_status", "last_seconds", "last_finished_at", "last_success_at", "p50"),
    *("next_run", "failures", "held_at"),
)
_RUN_COLUMNS = ("status", "scheduled_for", "claimed_at")


def read_job_samples(now: dt.datetime, limit: int) -> tuple[Samples, int]:
    """The values of at most ``limit`` jobs, and how many jobs these are."""
    if limit <= 0:
        return {}, 0
    jobs = Job.objects.annotate(lease=FilteredRelation("leases", condition=Q(leases__slot="")))
    columns = (
        "pk",
        "name",
        "enabled",
        *(f"state__{name}" for name in _EXPORTED_STATE_COLUMNS),
        *(f"lease__run__{n}" for n in _RUN_COLUMNS),
    )
    rows = list(jobs.order_by("-enabled", "pk").values(*columns)[:limit])
    due = _fetch_due_times([row["pk"] for row in rows], now)
    found: dict[str, list[tuple[tuple[str, ...], float]]] = defaultdict(list)
    for row in rows:
        _add_samples(found, row, _lateness_seconds(row, due.get(row["pk"]), now))
    found["backfill_remaining"] += _samples_of_open_backfills(limit)
    return found, len(rows)


def _samples_of_open_backfills(limit: int) -> list[tuple[tuple[str, ...], float]]:
    """The remaining runs of each job with an open backfill."""
    rows = Backfill.objects.filter(finished_at=None).order_by("job").values_list("job__name")
    counted = rows.annotate(planned_=Sum("planned"), made_=Sum("made"))[:limit]
    return [((name,), max(0, planned - made)) for name, planned, made in counted]


def _fetch_due_times(ids: Collection[int], now: dt.datetime) -> dict[int, dt.datetime | None]:
    """Jobs that a tick would claim now."""
    return dict(health_facts.overdue_states(now).filter(pk__in=ids).order_by().values_list("pk", "next_run"))


def _lateness_seconds(row: dict[str, Any], due_since: dt.datetime | None, now: dt.datetime) -> float:
    if row["lease__run__status"] == Status.CLAIMED:
        due_since = row["lease__run__scheduled_for"] or row["lease__run__claimed_at"]
    return max(0.0, (now - due_since).total_seconds()) if due_since else 0.0


def _add_samples(samples: dict[str, list[tuple[tuple[str, ...], float]]], row: dict[str, Any], lateness: float) -> None:
    job, state = row["name"], {name: row[f"state__{name}"] for name in _EXPORTED_STATE_COLUMNS}
    for outcome in OUTCOME_LABELS:
        samples["job_runs_total"].append(((job, outcome), state[f"n_{outcome}"] or 0))
    ended = bool(state["last_status"])
    values = {
        "job_skips_total": state["n_skipped"] or 0,
        "job_run_seconds_total": state["seconds_total"] or 0,
        "job_enabled": row["enabled"],
        "job_running": row["lease__run__status"] == Status.RUNNING,
        "job_held": state["held_at"] is not None,
        "job_failures_in_a_row": state["failures"] or 0,
        "job_last_run_succeeded": state["last_status"] == Status.SUCCEEDED if ended else None,
        "job_last_run_seconds": state["last_seconds"],
        "job_expected_run_seconds": state["p50"],
        "job_last_end_timestamp_seconds": _timestamp(state["last_finished_at"]),
        "job_last_success_timestamp_seconds": _timestamp(state["last_success_at"]),
        "job_next_run_timestamp_seconds": _timestamp(state["next_run"]) if row["enabled"] else None,
        "job_lateness_seconds": lateness,
    }
    for name, value in values.items():
        if value is not None:
            samples[name].append(((job,), float(value)))


def _timestamp(moment: dt.datetime | None) -> float | None:
    return moment.timestamp() if moment else None

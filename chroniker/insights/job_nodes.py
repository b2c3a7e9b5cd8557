"""Jobs as nodes of the graph: each with its condition, in one statement. Read-only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import FilteredRelation, Q

from chroniker.models import Job, Status

NODE_COLUMNS = (
    "pk",
    "name",
    "enabled",
    "force_run",
    "state__next_run",
    "state__retry_at",
    "state__schedule_error",
    "state__last_status",
    "state__failures",
    "state__recent_seconds",
    "state__p50",
    "open__run__status",
    "open__run__claimed_at",
    "open__run__started_at",
    "open__total_parts",
    "open__total_parts_complete",
)


@dataclass(frozen=True, slots=True)
class JobNode:
    """One job. ``condition``: the code of a state, as in ``chroniker.wording.states``."""

    pk: int
    name: str
    condition: str
    since: dt.datetime | None  #: since when it runs, is queued, or waits
    next_run: dt.datetime | None
    retry_at: dt.datetime | None
    done_and_total_parts: tuple[int, int] | None  #: of the open run
    failures: int  #: in a row
    last_success_seconds: float | None
    median_seconds: float | None


def fetch_nodes(job_ids: Collection[int], held_ids: Collection[int], now: dt.datetime) -> dict[int, JobNode]:
    """These jobs by id. ``held_ids``: jobs that wait for a dependency now. One statement, none for no jobs."""
    if not job_ids:
        return {}
    jobs = Job.objects.filter(pk__in=job_ids)
    rows = jobs.annotate(open=FilteredRelation("leases", condition=Q(leases__slot=""))).values(*NODE_COLUMNS)
    return {row["pk"]: _make_node(row, row["pk"] in held_ids, now) for row in rows}


def _make_node(row: dict[str, Any], is_held: bool, now: dt.datetime) -> JobNode:
    condition = _state_code(row, is_held, now)
    since = {
        "running": row["open__run__started_at"],
        "queued": row["open__run__claimed_at"],
        "waiting": row["state__next_run"] if _is_due(row["state__next_run"], now) else row["state__retry_at"],
    }
    total, done = row["open__total_parts"], row["open__total_parts_complete"]
    recent = row["state__recent_seconds"] or [None]
    return JobNode(
        pk=row["pk"],
        name=row["name"],
        condition=condition,
        since=since.get(condition),
        next_run=row["state__next_run"],
        retry_at=row["state__retry_at"],
        done_and_total_parts=(done or 0, total) if total else None,
        failures=row["state__failures"] or 0,
        last_success_seconds=recent[-1],
        median_seconds=row["state__p50"],
    )


def _state_code(row: dict[str, Any], is_held: bool, now: dt.datetime) -> str:
    """What it does now; else what its latest run ended with; else when it runs next."""
    if row["open__run__status"] is not None:
        return "running" if row["open__run__status"] == Status.RUNNING else "queued"
    if not row["enabled"]:
        return "disabled"
    if row["state__schedule_error"]:
        return "schedule_error"
    if is_held or row["force_run"] or _is_due(row["state__next_run"], now) or _is_due(row["state__retry_at"], now):
        return "waiting"
    if row["state__retry_at"] is not None:
        return "retrying"
    return str(row["state__last_status"] or "").lower() or ("scheduled" if row["state__next_run"] else "manual")


def _is_due(moment: dt.datetime | None, now: dt.datetime) -> bool:
    return moment is not None and moment <= now

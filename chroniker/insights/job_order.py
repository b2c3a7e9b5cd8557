"""The order of a list of jobs, and pages of it that continue after a key instead of counting rows."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from chroniker.insights.job_filters import (
    ACTIVE_VALUES_OF_SHOW_FILTER,
    JobConditions,
    JobFilter,
    ids_of_jobs_without_state,
    matching_jobs,
)
from chroniker.models import Job, JobState

#: Rows of one page.
ROWS_PER_PAGE = 100
JOB_ORDER_NAMES = ("attention", "next", "name", "last", "slowest", "success")
#: The value that an order of jobs by their results compares. Jobs without it come last.
SORT_KEYS = {"last": "state__last_finished_at", "slowest": "state__p50", "success": "state__bad_permille"}


@dataclass(frozen=True, slots=True)
class JobListSegment:
    """A part of the list with an order of its own. ``keys``: fields, with "-" for descending; the last is unique."""

    jobs: QuerySet[Job]
    keys: tuple[str, ...]

    def fetch_page(self, after: Sequence[Any] | None, limit: int) -> list[Job]:
        rows = self.jobs if after is None else self.jobs.filter(_rows_after_cursor_condition(self.keys, after))
        return list(rows.order_by(*self.keys).select_related("group", "state")[:limit])


@dataclass(frozen=True, slots=True)
class JobPage:
    """``cursor``: where the next page begins; empty on the last page."""

    jobs: list[Job]
    cursor: str


def fetch_job_page(job_filter: JobFilter, conditions: JobConditions, order: str, cursor: str) -> JobPage:
    """One page of the jobs that match the filter. A statement for each segment that it touches, of at most three.

    An invalid cursor gives the first page.
    """
    segments = _segments(job_filter, conditions, order)
    number, after = _decode_cursor(cursor, segments)
    jobs: list[Job] = []
    while number < len(segments):
        rows = segments[number].fetch_page(after, ROWS_PER_PAGE + 1 - len(jobs))
        jobs += rows
        if len(jobs) > ROWS_PER_PAGE:
            last = jobs[ROWS_PER_PAGE - 1]
            in_this = len(jobs) - len(rows) < ROWS_PER_PAGE
            at = number if in_this else number - 1
            return JobPage(
                jobs[:ROWS_PER_PAGE], _encode_cursor(at, [_sort_key_value(last, key) for key in segments[at].keys])
            )
        number, after = number + 1, None
    return JobPage(jobs, "")


def _segments(job_filter: JobFilter, conditions: JobConditions, order: str) -> list[JobListSegment]:
    found = matching_jobs(job_filter, conditions)
    planned = Q(enabled=True, state__next_run__isnull=False)
    if order == "attention":
        band = Case(When(conditions.attention, then=Value(0)), default=Value(1), output_field=IntegerField())
        active = found if job_filter.show in ACTIVE_VALUES_OF_SHOW_FILTER else found.filter(conditions.active)
        first = JobListSegment(active.annotate(band=band), ("band", "name"))
        if job_filter.show in ACTIVE_VALUES_OF_SHOW_FILTER:
            return [first]
        quiet = found.exclude(conditions.active)
        later = quiet.filter(planned, state__next_run__gt=conditions.now)
        return [first, JobListSegment(later, ("state__next_run", "pk")), _segment_without_next_run(quiet, conditions)]
    if order == "next":
        return [
            JobListSegment(found.filter(planned), ("state__next_run", "pk")),
            _segment_without_next_run(found, conditions),
        ]
    if order == "name":
        return [JobListSegment(found, ("name",))]
    key = SORT_KEYS[order]
    return [
        JobListSegment(found.filter(**{f"{key}__isnull": False}), (f"-{key}", "-pk")),
        _segment_without_value(found, key),
    ]


def _segment_without_next_run(jobs: QuerySet[Job], conditions: JobConditions) -> JobListSegment:
    """Jobs without a next run; disabled jobs last."""
    off = Case(When(enabled=False, then=Value(1)), default=Value(0), output_field=IntegerField())
    return JobListSegment(jobs.filter(conditions.unplanned).annotate(off=off), ("off", "name"))


def _segment_without_value(jobs: QuerySet[Job], key: str) -> JobListSegment:
    """Jobs whose state has no such value, and jobs without a state."""
    field = key.removeprefix("state__")
    empty = JobState.objects.filter(**{f"{field}__isnull": True}).order_by().values("pk")
    return JobListSegment(jobs.filter(Q(pk__in=empty.union(ids_of_jobs_without_state()))), ("name",))


def _rows_after_cursor_condition(keys: Sequence[str], values: Sequence[Any]) -> Q:
    """The rows after these values, in the order of the keys. The condition on the first key uses an index."""
    condition, equal = Q(), Q()
    for key, value in zip(keys, values, strict=True):
        field, lookup = key.removeprefix("-"), "lt" if key.startswith("-") else "gt"
        condition |= equal & Q(**{f"{field}__{lookup}": value})
        equal &= Q(**{field: value})
    field, lookup = keys[0].removeprefix("-"), "lte" if keys[0].startswith("-") else "gte"
    return Q(**{f"{field}__{lookup}": values[0]}) & condition


def _sort_key_value(job: Job, key: str) -> Any:
    value: Any = job
    for name in key.removeprefix("-").split("__"):
        value = getattr(value, name)
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _encode_cursor(segment: int, values: list[Any]) -> str:
    return json.dumps([segment, *values])


def _decode_cursor(cursor: str, segments: Sequence[JobListSegment]) -> tuple[int, list[Any] | None]:
    """The segment and the values of its keys. An invalid cursor gives the first page."""
    try:
        number, *values = json.loads(cursor)
        keys = segments[number].keys if type(number) is int and number >= 0 else ()
        if keys and len(values) == len(keys):
            return number, [_parse_sort_key_value(key, value) for key, value in zip(keys, values, strict=True)]
    except (ValueError, TypeError, IndexError, RecursionError):
        pass
    return 0, None


def _parse_sort_key_value(key: str, value: Any) -> Any:
    """A value of the key's type. Raises ``ValueError``."""
    field = key.removeprefix("-")
    if field == "name":
        if isinstance(value, str) and "\0" not in value:
            return value
    elif field in ("state__next_run", "state__last_finished_at"):
        found = dt.datetime.fromisoformat(value)
        if found.tzinfo is not None:
            return found.astimezone(dt.UTC)
    elif field == "state__p50":
        return float(value)
    elif isinstance(value, int) and abs(value) < 2**63:
        return value
    raise ValueError(field)

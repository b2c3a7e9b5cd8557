"""The durations of a job's runs over a range of time, for a picture: one mark per run, or one column for many runs."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import (
    Case,
    Count,
    F,
    FloatField,
    Func,
    IntegerField,
    Max,
    Min,
    QuerySet,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.functions import RowNumber

from chroniker.models import FAILURE_STATUSES, JobState, Run, Status

#: More runs than ``MAX_MARKS`` are drawn as columns, of which there are at most ``MAX_COLUMNS``.
MAX_MARKS, MAX_COLUMNS = 500, 590


class SecondsBetween(Func):
    """SQL expression: the seconds between two times."""

    arity = 2
    output_field = FloatField()
    template = "EXTRACT(EPOCH FROM (%(expressions)s))"
    arg_joiner = " - "

    def __init__(self, start: str, end: str) -> None:
        super().__init__(F(end), F(start))

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        [end, start], params = self._compile_expressions(compiler)
        return f"((julianday({end}) - julianday({start})) * 86400.0)", params

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        [end, start], params = self._compile_expressions(compiler)
        return f"(TIMESTAMPDIFF(MICROSECOND, {start}, {end}) / 1000000.0)", params

    def _compile_expressions(self, compiler: Any) -> tuple[list[str], tuple[Any, ...]]:
        parts = [compiler.compile(each) for each in self.source_expressions]
        return [sql for sql, _ in parts], tuple(param for _, params in reversed(parts) for param in params)


@dataclass(frozen=True, slots=True)
class DurationMark:
    """One run, or the runs of one column: then ``seconds`` is their median."""

    token: int  #: of a column: the first
    started_at: dt.datetime
    seconds: float
    status: str  #: of a column: empty
    pk: UUID | None = None
    low: float = 0.0
    high: float = 0.0
    run_count: int = 1
    bad_count: int = 0  #: failed, timed out or lost
    last_token: int = 0

    @property
    def is_column(self) -> bool:
        return self.run_count > 1


@dataclass(frozen=True, slots=True)
class RunDurations:
    """``p50``, ``p95``: of the successes among ``marks``; with columns, those that are stored in the job's state."""

    marks: Sequence[DurationMark]
    p50: float | None
    p95: float | None
    run_count: int
    bad_count: int
    has_columns: bool
    since: dt.datetime | None

    @property
    def longest(self) -> float:
        return max((max(mark.seconds, mark.high) for mark in self.marks), default=0.0)


def read_run_durations(state: JobState, since: dt.datetime | None) -> RunDurations:
    """Closed runs of the job that started after ``since``. Two statements, and at most ``MAX_COLUMNS`` rows."""
    runs = Run.objects.filter(job=state.pk, slot="", started_at__isnull=False, finished_at__isnull=False)
    first = _first_token(runs, since)
    span = max(state.last_token - first + 1, 0)
    chosen = runs.filter(token__gte=first)
    if span <= MAX_MARKS:
        return _make_run_durations(_mark_of_each_run(chosen), state, since)
    return _make_run_durations(_mark_of_each_column(chosen, first, math.ceil(span / MAX_COLUMNS)), state, since)


def _first_token(runs: QuerySet[Run], since: dt.datetime | None) -> int:
    """The first token of the range. Walks the index on (job, token), from the newest run back to the range's begin."""
    tokens = runs.order_by("token") if since is None else runs.filter(started_at__lt=since).order_by("-token")
    found: int | None = tokens.values_list("token", flat=True).first()
    if found is None:
        return 1
    return found if since is None else found + 1


def _mark_of_each_run(runs: QuerySet[Run]) -> list[DurationMark]:
    rows = runs.order_by("token").values_list("token", "started_at", "finished_at", "status", "pk")
    return [
        DurationMark(
            token,
            started,
            max((finished - started).total_seconds(), 0.0),
            status,
            pk,
            bad_count=int(status in FAILURE_STATUSES),
        )
        for token, started, finished, status, pk in rows
        if started is not None and finished is not None
    ]


def _mark_of_each_column(runs: QuerySet[Run], first_token: int, tokens_per_column: int) -> list[DurationMark]:
    """Each column has the runs of ``tokens_per_column`` tokens; the row with the median duration stands for it."""
    column = (F("token") - first_token) - (F("token") - first_token) % Value(tokens_per_column)
    per_column: Any = {"partition_by": [F("column")]}
    is_bad = Case(When(status__in=FAILURE_STATUSES, then=Value(1)), default=Value(0), output_field=IntegerField())
    rows = (
        runs.annotate(took=SecondsBetween("started_at", "finished_at"), column=column, is_bad=is_bad)
        .annotate(
            low=Window(Min("took"), **per_column),
            high=Window(Max("took"), **per_column),
            n=Window(Count("token"), **per_column),
            n_bad=Window(Sum("is_bad"), **per_column),
            first=Window(Min("token"), **per_column),
            last=Window(Max("token"), **per_column),
            begin=Window(Min("started_at"), **per_column),
            rank=Window(RowNumber(), order_by=[F("took").asc(), F("token").asc()], **per_column),
        )
        .annotate(from_middle=F("rank") * 2 - F("n"))
        .filter(from_middle__in=(0, 1))
        .order_by("column")
        .values_list("first", "begin", "took", "status", "pk", "low", "high", "n", "n_bad", "last")
    )
    return [
        DurationMark(start, begin, max(float(took), 0.0), status if n == 1 else "", pk if n == 1 else None,
             max(float(low), 0.0), max(float(high), 0.0), n, int(bad), last)
        for start, begin, took, status, pk, low, high, n, bad, last in rows
    ]  # fmt: skip


def _make_run_durations(marks: list[DurationMark], state: JobState, since: dt.datetime | None) -> RunDurations:
    has_columns = any(mark.is_column for mark in marks)
    taken = sorted(mark.seconds for mark in marks if mark.status == Status.SUCCEEDED)
    p50, p95 = (
        (state.p50, state.p95) if has_columns else (percentile_of_values(taken, 50), percentile_of_values(taken, 95))
    )
    run_count, bad_count = sum(mark.run_count for mark in marks), sum(mark.bad_count for mark in marks)
    return RunDurations(marks, p50, p95, run_count, bad_count, has_columns, since)


def percentile_of_values(ordered: Sequence[float], percent: int) -> float | None:
    """The smallest of these values that ``percent`` of 100 do not exceed."""
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)] if ordered else None

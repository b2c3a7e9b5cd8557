"""The instants of a backfill: the result that the stored runs show for each, and which get a run. Read-only."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import models
from django.db.models import DateTimeField, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from chroniker.models import Backfill, InstantSelection, Run, Status, Trigger
from chroniker.schedule import ClosedTime, ScheduleSpec, closed_time_at, next_instant_after

#: One call computes about this many instants at most, for all its backfills together.
MAX_INSTANTS_PER_PASS = 200
#: At most this many runs are read at once. Instants without a decision after that are left for the next pass.
MAX_RUNS_PER_READ = 5000

MICROSECOND = dt.timedelta(microseconds=1)


class InstantResult(models.TextChoices):
    """The result that the stored runs show for an instant. The values are a stable interface for programs."""

    NO_RECORD = "NO_RECORD", _("no record")
    NOT_RUN = "NOT_RUN", _("not started")
    NOT_SUCCEEDED = "NOT_SUCCEEDED", _("did not succeed")
    SUCCEEDED = "SUCCEEDED", _("succeeded")


_RESULTS_FROM_WORST_TO_BEST = list(InstantResult)


class InstantWindow(NamedTuple):
    """Some instants of one job, in order."""

    job_id: int
    instants: list[dt.datetime]


class InstantWithResult(NamedTuple):
    instant: dt.datetime
    result: InstantResult


@dataclass(frozen=True, slots=True)
class CandidateInstants:
    """The next instants of a backfill with their results. All instants until ``until`` are decided."""

    instants_with_results: Sequence[InstantWithResult]
    until: dt.datetime
    is_last: bool  #: there is no further instant


def does_instant_need_run(which: str, result: InstantResult, *, include_unknown: bool) -> bool:
    """Whether a backfill runs an instant with this result. ``which``: the ``InstantSelection`` of the backfill."""
    if which == InstantSelection.ALL:
        return True
    if result is InstantResult.NO_RECORD:
        return include_unknown
    return result is InstantResult.NOT_RUN or (
        which == InstantSelection.NOT_SUCCEEDED and result is InstantResult.NOT_SUCCEEDED
    )


def compute_instants_outside_blackouts(
    spec: ScheduleSpec, closed_times: list[ClosedTime], after: dt.datetime, last: dt.datetime, limit: int
) -> tuple[list[dt.datetime], dt.datetime, bool]:
    """Returns the instants outside blackouts after ``after``, until ``last``; the last instant that was computed; and
    whether no instant follows it. Computes at most ``limit`` instants, those in blackouts included."""
    found = []
    instant = next_instant_after(spec, after)
    for _each in range(limit):
        if instant is None or instant > last:
            break
        if not closed_times or closed_time_at(closed_times, instant, spec.timezone) is None:
            found.append(instant)
        after, instant = instant, next_instant_after(spec, instant)
    return found, after, instant is None or instant > last


def read_instant_results(windows: Sequence[InstantWindow]) -> dict[int, list[InstantResult]]:
    """By job: the results of the instants of its window, as the stored runs show them.

    A run of the schedule and its retries give the result of all instants that they are for. A run of a backfill, or a
    run by hand for a given scheduled time, gives the result of that instant. One statement, which reads at most
    ``MAX_RUNS_PER_READ`` runs. If these do not decide all instants, the last results of a job are missing, or the whole
    job.
    """
    of_any = Q(pk__in=[])
    for window in windows:
        if window.instants:
            of_any |= _runs_between_condition(window.job_id, window.instants[0], window.instants[-1])
    columns = ("job", "instant", "instant_until", "status", "started_at")
    origins = [Trigger.SCHEDULE, Trigger.MANUAL, Trigger.BACKFILL]
    runs = Run.objects.filter(of_any, slot="", origin__in=origins).order_by("job_id", "instant")
    rows = list(runs.values_list(*columns)[:MAX_RUNS_PER_READ])
    by_job = defaultdict(list)
    for job_id, *row in rows:
        by_job[job_id].append(row)
    is_cut = len(rows) == MAX_RUNS_PER_READ
    found = {}
    for window in windows:
        instants = window.instants
        if is_cut and window.job_id > rows[-1][0]:
            continue
        if is_cut and window.job_id == rows[-1][0]:
            instants = instants[: bisect_left(instants, rows[-1][1])]
        found[window.job_id] = _best_results(instants, by_job[window.job_id])
    return found


def _runs_between_condition(job_id: int, low: dt.datetime, high: dt.datetime) -> Q:
    """Condition on Run: the run is for an instant from ``low`` to ``high``. The first one may begin before ``low``."""
    covering = Run.objects.filter(job=job_id, slot="", scheduled_for__lte=low).order_by("-scheduled_for")
    begin = Coalesce(Subquery(covering.values("scheduled_for")[:1]), Value(low, output_field=DateTimeField()))
    return Q(job=job_id, instant__gte=begin, instant__lte=high, instant_until__gte=low)


def _best_results(
    instants: list[dt.datetime], runs: Sequence[tuple[dt.datetime, dt.datetime, str, dt.datetime | None]]
) -> list[InstantResult]:
    ranks = [0] * len(instants)
    for first, until, status, started_at in runs:
        answer = InstantResult.NOT_SUCCEEDED if started_at is not None else InstantResult.NOT_RUN
        rank = _RESULTS_FROM_WORST_TO_BEST.index(InstantResult.SUCCEEDED if status == Status.SUCCEEDED else answer)
        for place in range(bisect_left(instants, first), bisect_right(instants, until)):
            ranks[place] = max(ranks[place], rank)
    return [_RESULTS_FROM_WORST_TO_BEST[rank] for rank in ranks]


def find_next_instants_of_backfills(
    backfills: Sequence[tuple[Backfill, list[ClosedTime]]],
) -> tuple[dict[int, CandidateInstants], dict[int, Exception]]:
    """By job: the next instants of its backfill, with their results; and, by job, the errors of schedules.

    At most one statement. A job is in neither result if the runs that were read do not decide any of its instants.
    """
    limit = max(1, MAX_INSTANTS_PER_PASS // max(1, len(backfills)))
    found, errors = {}, {}
    for backfill, closed in backfills:
        after = backfill.first - MICROSECOND if backfill.cursor is None else backfill.cursor
        try:
            found[backfill.job_id] = compute_instants_outside_blackouts(
                backfill.schedule, closed, after, backfill.last, limit
            )
        except Exception as error:  # an error of one schedule concerns this backfill alone
            errors[backfill.job_id] = error
    windows = [InstantWindow(job_id, instants) for job_id, (instants, _until, _is_last) in found.items() if instants]
    known = read_instant_results(windows) if windows else {}
    result = {}
    for job_id, (instants, until, is_last) in found.items():
        decided = [InstantWithResult(*each) for each in zip(instants, known.get(job_id, []), strict=False)]
        if len(decided) == len(instants):
            result[job_id] = CandidateInstants(decided, until, is_last)
        elif decided:
            result[job_id] = CandidateInstants(decided, decided[-1].instant, is_last=False)
    return result, errors

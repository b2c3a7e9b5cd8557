"""The durations of a job's runs for the picture: marks, or columns with the median of many runs."""

from __future__ import annotations

import datetime as dt
import statistics

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.insights import run_durations
from chroniker.models import Job, JobState, Run, Status, Trigger
from tests.support.factories import a_booked_job, state_of

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]


def runs_of(job: Job, seconds: list[float], *, every: dt.timedelta = dt.timedelta(minutes=1)) -> None:
    """Closed runs with these durations, one ``every`` minute, the last one now. Each tenth failed."""
    now = database_now()
    runs = []
    for number, took in enumerate(seconds, 1):
        start = now - (len(seconds) - number + 1) * every
        status = Status.SUCCEEDED if number % 10 else Status.FAILED
        runs.append(
            Run(
                job=job, token=number, status=status, trigger=Trigger.SCHEDULE, claimed_at=start, started_at=start,
                finished_at=start + dt.timedelta(seconds=took),
            )
        )  # fmt: skip
    Run.objects.bulk_create(runs)
    JobState.objects.filter(pk=job.pk).update(last_token=len(seconds), p50=5.0, p95=9.0)


def test_few_runs_are_one_mark_each() -> None:
    job = a_booked_job()
    runs_of(job, [1.0, 2.5, 4.0])
    found = run_durations.read_run_durations(state_of(job), None)
    assert [round(mark.seconds, 3) for mark in found.marks] == [1.0, 2.5, 4.0]
    assert (found.p50, found.p95, found.run_count, found.has_columns) == (2.5, 4.0, 3, False)


def test_many_runs_are_columns_with_their_extremes_and_their_median() -> None:
    job = a_booked_job()
    taken = [float(number * 37 % 101) for number in range(1, 2001)]
    runs_of(job, taken)
    found = run_durations.read_run_durations(state_of(job), None)
    width = 4  # 2,000 tokens in at most 590 columns
    expected = []
    for start in range(0, len(taken), width):
        part = taken[start : start + width]
        expected.append((start + 1, min(part), statistics.median_low(part), max(part), len(part)))
    rows = [(m.token, round(m.low, 2), round(m.seconds, 2), round(m.high, 2), m.run_count) for m in found.marks]
    assert rows == expected
    assert (found.run_count, found.bad_count, found.p50, found.p95) == (2000, 200, 5.0, 9.0)


def test_a_range_leaves_older_runs_out() -> None:
    job = a_booked_job()
    runs_of(job, [1.0] * 90, every=dt.timedelta(hours=1))
    since = database_now() - dt.timedelta(hours=24, minutes=30)
    found = run_durations.read_run_durations(state_of(job), since)
    assert (found.run_count, found.marks[0].token) == (24, 67)


def test_a_range_without_runs_is_empty() -> None:
    job = a_booked_job()
    assert run_durations.read_run_durations(state_of(job), None).marks == []
    runs_of(job, [1.0])
    assert run_durations.read_run_durations(state_of(job), database_now()).marks == []


def test_the_statements_and_rows_do_not_grow_with_the_runs() -> None:
    job = a_booked_job()
    runs_of(job, [1.0] * 3000)
    state = state_of(job)
    with CaptureQueriesContext(connection) as captured:
        found = run_durations.read_run_durations(state, None)
    assert len(captured) == 2
    assert len(found.marks) <= run_durations.MAX_COLUMNS

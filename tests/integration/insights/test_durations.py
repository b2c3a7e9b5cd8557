from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.insights.durations import (
    MAX_ESTIMATED_DURATION,
    MAX_RUNS_READ,
    RUNS_IN_MEDIAN,
    EndEstimate,
    estimate_end,
    fetch_expected_durations,
)
from chroniker.models import Job, JobState, Run, Status, Trigger
from tests.support.factories import a_booked_job

NOW = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def runs_of(job: Job, *seconds: float, status: Status = Status.SUCCEEDED, slot: str = "") -> None:
    """Runs of ``job`` with these durations, the latest last."""
    state, now = JobState.objects.get(pk=job.pk), database_now()
    Run.objects.bulk_create(
        Run(
            job=job, token=state.last_token + number, slot=slot, status=status, trigger=Trigger.MANUAL,
            claimed_at=now, started_at=now - length * SECOND, finished_at=now,
        )
        for number, length in enumerate(seconds, 1)
    )  # fmt: skip
    JobState.objects.filter(pk=job.pk).update(last_token=state.last_token + len(seconds))


@pytest.mark.django_db
def test_a_job_is_expected_to_take_the_median_of_its_successes() -> None:
    job, other = a_booked_job(), a_booked_job()
    runs_of(job, 10, 600, 20)
    runs_of(other, 1, 2)
    assert fetch_expected_durations([job.pk, other.pk]) == {job.pk: 20 * SECOND, other.pk: 1.5 * SECOND}


@pytest.mark.django_db
def test_failures_and_runs_of_single_hosts_do_not_count() -> None:
    job = a_booked_job()
    runs_of(job, 10)
    runs_of(job, 1, 1, 1, status=Status.FAILED)
    runs_of(job, 1, 1, 1, slot="here")
    assert fetch_expected_durations([job.pk]) == {job.pk: 10 * SECOND}


@pytest.mark.django_db
def test_a_job_without_success_has_no_expected_duration() -> None:
    job = a_booked_job()
    runs_of(job, 5, status=Status.LOST)
    assert fetch_expected_durations([job.pk]) == {}
    assert fetch_expected_durations([]) == {}


@pytest.mark.django_db
def test_only_the_latest_successes_count() -> None:
    job = a_booked_job()
    runs_of(job, *[100] * 50, *[7] * RUNS_IN_MEDIAN)
    assert fetch_expected_durations([job.pk]) == {job.pk: 7 * SECOND}


@pytest.mark.django_db
def test_only_a_limited_number_of_runs_is_searched_for_successes() -> None:
    job = a_booked_job()
    runs_of(job, 9)
    runs_of(job, *[1] * MAX_RUNS_READ, status=Status.FAILED)
    assert fetch_expected_durations([job.pk]) == {}


@pytest.mark.django_db
def test_the_durations_of_all_jobs_need_one_statement() -> None:
    jobs = [a_booked_job() for _ in range(30)]
    for job in jobs:
        runs_of(job, 3)
    with CaptureQueriesContext(connection) as queries:
        assert len(fetch_expected_durations([job.pk for job in jobs])) == 30
    assert len(queries) == 1


def test_the_end_of_a_run_is_estimated_by_its_rate_and_by_past_runs() -> None:
    found = estimate_end(NOW - 20 * SECOND, NOW, total_parts=100, done_parts=40, expected_duration=30 * SECOND)
    assert found == EndEstimate(2.0, NOW + 30 * SECOND, NOW + 10 * SECOND)


def test_a_run_that_takes_longer_than_past_ones_is_late() -> None:
    assert estimate_end(NOW - 60 * SECOND, NOW, expected_duration=10 * SECOND).end_by_past_runs == NOW - 50 * SECOND


def test_a_run_beyond_its_total_is_estimated_to_end_now() -> None:
    assert estimate_end(NOW - 10 * SECOND, NOW, total_parts=5, done_parts=7).end_by_progress == NOW


@pytest.mark.parametrize(("total", "done"), [(None, None), (77, 0), (77, None), (0, 0), (-5, -5), (77, -1)], ids=str)
def test_there_is_no_estimate_without_data(total: int | None, done: int | None) -> None:
    assert estimate_end(NOW - 10 * SECOND, NOW, total_parts=total, done_parts=done) == EndEstimate()


def test_a_count_without_a_total_has_a_rate_and_no_end() -> None:
    assert estimate_end(NOW - 10 * SECOND, NOW, total_parts=0, done_parts=50) == EndEstimate(5.0)


def test_a_run_that_has_not_started_or_starts_this_moment_has_no_rate() -> None:
    assert estimate_end(None, NOW, total_parts=10, done_parts=5, expected_duration=SECOND) == EndEstimate()
    assert estimate_end(NOW, NOW, total_parts=10, done_parts=5) == EndEstimate()
    assert estimate_end(NOW + SECOND, NOW, total_parts=10, done_parts=5) == EndEstimate()


def test_an_estimate_in_the_far_future_is_none() -> None:
    assert estimate_end(NOW - SECOND, NOW, total_parts=10**18, done_parts=1) == EndEstimate(1.0)
    assert estimate_end(NOW, NOW, expected_duration=2 * MAX_ESTIMATED_DURATION) == EndEstimate()

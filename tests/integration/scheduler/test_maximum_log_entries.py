"""Claims delete the surplus of their jobs, as ``maximum_log_entries`` says."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import Backfill, Job, JobState, Lease, Run, Status, Trigger
from chroniker.scheduler import manual_runs, retention, tick
from tests.integration.scheduler.old_runs import claim, delete_all, tokens
from tests.support.command_jobs import DUMMY, INLINE
from tests.support.factories import a_booked_job, a_due_job, started
from tests.support.run_history import ended, with_related_rows

pytestmark = pytest.mark.django_db(transaction=True)


@override_settings(CHRONIKER_EXECUTORS=INLINE)
def test_a_tick_deletes_old_runs_only_of_the_jobs_it_claims() -> None:
    due, idle = a_due_job(maximum_log_entries=3), a_booked_job(cron="0 0 1 1 *", maximum_log_entries=3)
    for job in (due, idle):
        ended(job, 5, 4, 3, 2, 1)
    tick.tick()
    assert tokens(due) == [4, 5, 6]
    assert tokens(idle) == [1, 2, 3, 4, 5]


@override_settings(CHRONIKER_EXECUTORS=DUMMY)
def test_a_manual_run_deletes_old_runs_of_its_job() -> None:
    job = a_booked_job(maximum_log_entries=2)
    ended(job, 5, 4, 3)
    manual_runs.run_now(job, "a test")
    assert tokens(job) == [3, 4]


def test_a_maximum_of_zero_keeps_all_and_of_one_keeps_the_last_closed_run() -> None:
    everything, one = a_booked_job(maximum_log_entries=0), a_booked_job(maximum_log_entries=1)
    for job in (everything, one):
        ended(job, 3, 2, 1)
        claim(job)
    assert retention.delete_surplus_runs([everything.pk, one.pk]) == 2
    assert tokens(everything) == [1, 2, 3, 4] and tokens(one) == [3, 4]


def test_the_attempt_that_is_to_be_retried_is_kept() -> None:
    """The retry takes its arguments and its scheduled times from it."""
    job = a_due_job(maximum_log_entries=1, max_retries=1, retry_backoff_seconds=0, cron="0 0 1 1 *", minutes=600_000)
    (first,) = tick.tick().claimed
    assert lifecycle.finish(first.pk, first.token, started(first), Outcome(Status.FAILED))
    ended(job, 3, 2, 1)
    lifecycle.add_closed_runs_to_counters()
    assert retention.delete_surplus_runs([job.pk]) + delete_all() == 2
    (again,) = tick.tick().claimed
    assert (again.chain, again.instant, again.origin) == (first.token, first.scheduled_for, Trigger.SCHEDULE)
    assert first.token not in tokens(job), "kept no longer than until the retry is claimed"


def test_a_large_surplus_is_deleted_over_several_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "RUNS_PER_SEARCH", 3)
    job = a_booked_job(maximum_log_entries=1)
    ended(job, *range(8, 0, -1))
    assert [retention.delete_surplus_runs([job.pk]) for _ in range(4)] == [3, 3, 1, 0]


def test_retention_needs_a_constant_number_of_statements_for_any_number_of_jobs() -> None:
    def statements(jobs: list[Job]) -> int:
        for job in jobs:
            for run in ended(job, 3, 2, 1):
                with_related_rows(run)
        with CaptureQueriesContext(connection) as queries:
            assert retention.delete_surplus_runs([job.pk for job in jobs]) == 2 * len(jobs)
        return len(queries)

    few = statements([a_booked_job(maximum_log_entries=1)])
    assert statements([a_booked_job(maximum_log_entries=1) for _ in range(8)]) == few


def test_runs_of_backfills_are_counted_apart_from_those_of_the_schedule() -> None:
    job = a_booked_job(maximum_log_entries=3)
    ended(job, *range(20, 10, -1))
    Run.objects.filter(job=job, token__in=[3, 4, 6, 7, 8, 9, 10]).update(origin=Trigger.BACKFILL)
    now = database_now()
    values = {"first": now, "last": now, "created_at": now, "finished_at": now, "planned": 7, "spec": {}}
    Backfill.objects.create(job=job, **values)
    assert retention.delete_surplus_runs([job.pk]) == 4
    assert tokens(job) == [1, 2, 5, 8, 9, 10]
    Backfill.objects.all().delete()
    assert retention.delete_surplus_runs([job.pk]) == 3
    assert tokens(job) == [8, 9, 10]


def test_one_claim_in_ten_of_a_job_with_a_long_history_deletes_its_surplus() -> None:
    job, now = a_due_job(maximum_log_entries=100), database_now()
    for last_token, turns in ((118, 0), (119, 1)):
        JobState.objects.filter(pk=job.pk).update(last_token=last_token, next_run=now, next_instant=now)
        Lease.objects.all().delete()
        Run.objects.all().delete()
        assert len(tick.tick().job_ids_over_run_limit) == turns

"""Which jobs a tick looks at for alerts: after edits of the job, group and settings, and at what cost."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.db.models import Model
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.lifecycle import alert_watch
from chroniker.models import Alert, Group, Job, JobState, Run
from chroniker.schedule import jitter
from tests.integration.lifecycle.loaded_rows import jobs_of_loaded
from tests.support.alert_clock import START, AlertClock, finish
from tests.support.factories import state_of

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]


def test_edited_and_enabled_jobs_are_looked_at(clock: AlertClock) -> None:
    """Also those that no run will ever be claimed for."""
    job = clock.job(cron="0 3 * * *")
    clock.tick(seconds=1)
    assert state_of(job).alert_at is None
    job.alert_done_by = "06:00"
    job.save()
    clock.tick(seconds=2)  # books it
    clock.tick(seconds=3)
    deadline = START + dt.timedelta(hours=6)
    assert state_of(job).alert_at == deadline
    for seconds, enabled in ((4, False), (6, True)):
        job.refresh_from_db()
        job.enabled = enabled
        job.save()
        clock.tick(seconds=seconds)
        clock.tick(seconds=seconds + 1)
        assert state_of(job).alert_at == (deadline if enabled else None)


def test_fields_of_the_group_and_of_the_settings_apply(clock: AlertClock) -> None:
    group = Group.objects.create(name="night", alert_start_seconds=100)
    for name, each in (("a", group), ("b", None), ("c", group)):
        clock.job(name=name, group=each)
    Job.objects.filter(name="c").update(alert_start_seconds=0)
    with override_settings(CHRONIKER_ALERTS={"alert_start_seconds": 200}):
        clock.tick(seconds=1)
        clock.tick(seconds=2)
        lifecycle.update_due_alerts(clock.at(seconds=161), 10)
        assert clock.reported == ["alert.late a"]
        lifecycle.update_due_alerts(clock.at(seconds=261), 10)
        assert clock.reported == ["alert.late a", "alert.late b"]


def test_an_edited_group_and_changed_settings_are_noticed(clock: AlertClock) -> None:
    group = Group.objects.create(name="night")
    job = clock.job(name="a", group=group, cron="0 0 * * *")
    clock.tick(seconds=1)
    assert state_of(job).alert_at is None
    group.alert_start_seconds = 100
    group.save()
    clock.tick(seconds=2)
    assert state_of(job).alert_at == START + dt.timedelta(days=1, seconds=100)
    group.alert_start_seconds = None
    group.save()
    with override_settings(CHRONIKER_ALERTS={"alert_start_seconds": 300}):
        clock.tick(seconds=3)
        assert state_of(job).alert_at == START + dt.timedelta(days=1, seconds=300)
    clock.tick(seconds=4)
    assert state_of(job).alert_at is None
    assert (
        not alert_watch.select_pauses_that_change_alerts()[0].exists()
        and not alert_watch.select_pauses_that_change_alerts()[1].exists()
    )


def test_a_thousand_late_jobs_cost_a_constant_number_of_statements(clock: AlertClock) -> None:
    def statements(jobs: int) -> int:
        Job.objects.all().delete()
        Job.objects.bulk_create([a_job_row(n) for n in range(jobs)])
        clock.at(seconds=0)
        Job.objects.update(edited_at=START)
        for _each in range(jobs // 500 + 1):
            lifecycle.book_next_instants(
                list(Job.objects.filter(edited_at__isnull=False).values_list("pk", flat=True)[:500]), START
            )
        update_statistics(Job, JobState)
        with CaptureQueriesContext(connection) as captured:
            looked_at, _reported = lifecycle.update_due_alerts(clock.at(minutes=5), 1000)
        assert looked_at == jobs and Alert.objects.filter(ended_at=None).count() == jobs
        return len(captured)

    few, many = statements(10), statements(1000)
    batches = 1 if connection.vendor == "postgresql" else 1000 // 10
    assert many <= few + (0 if connection.vendor == "postgresql" else batches)
    assert clock.calls == 2


def test_the_open_runs_of_other_jobs_are_not_loaded(clock: AlertClock) -> None:
    """Otherwise each tick with one due alert would read all open runs."""
    clock.job(name="other")
    job = clock.job(alert_start_seconds=100)
    assert len(clock.tick(minutes=1).claimed) == 2
    with jobs_of_loaded(Run) as found:
        lifecycle.update_due_alerts(clock.at(seconds=161), 10)
    assert clock.reported == ["alert.late nightly"] and found == {job.pk}


def update_statistics(*models: type[Model]) -> None:
    """As PostgreSQL does by itself after a commit. Without it the plan is that of tables with one row: minutes."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for model in models:
                cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")


def a_job_row(number: int) -> Job:
    return Job(name=f"job {number}", command="noop", cron="* * * * *", timezone="UTC", alert_start_seconds=10)


def test_a_job_without_alerts_costs_nothing(clock: AlertClock) -> None:
    job = clock.job(alert_failures=0)
    (run,) = clock.tick(minutes=1).claimed
    finish(run)
    assert state_of(job).alert_at is None and not Alert.objects.exists()


def test_after_the_adoption_of_a_copy_the_times_of_an_edited_schedule_can_be_late(clock: AlertClock) -> None:
    """Else the job would not be looked at before the first time of its schedule before the edit."""
    job, other = clock.job(cron="0 0 1 1 *", alert_start_seconds=100), clock.job(name="other", cron="0 0 1 1 *")
    clock.tick(seconds=1)
    before = state_of(job).alert_at
    assert before is not None and before - START > dt.timedelta(days=100)
    job.cron = "* * * * *"
    job.save()
    now = clock.at(minutes=5, seconds=30)
    lifecycle.adopt_jobs([job.pk, other.pk], now, raise_tokens_by=10, skip_missed=True)
    assert (state_of(job).alert_at, state_of(other).alert_at) == (now, None)
    lifecycle.update_due_alerts(clock.at(minutes=7, seconds=39), 10)
    assert clock.reported == []
    lifecycle.update_due_alerts(clock.at(minutes=7, seconds=41), 10)
    assert clock.reported == ["alert.late nightly"]


@pytest.mark.parametrize("field", ["alert_start_seconds", "alert_run_seconds"])
def test_a_claim_plans_the_check_for_when_its_run_becomes_late_or_slow(clock: AlertClock, field: str) -> None:
    job = clock.job(cron="0 0 * * *", **{field: 100})
    assert len(clock.tick(days=1).claimed) == 1
    assert state_of(job).alert_at == START + dt.timedelta(days=1, seconds=100)


def test_a_queued_run_with_a_random_delay_is_looked_at_when_it_is_late(clock: AlertClock) -> None:
    """It waits since its scheduled time and the delay: it could not start before."""
    job = clock.job(cron="0 1 * * *", jitter_seconds=3000, alert_start_seconds=100)
    due = 3600 + jitter(job.pk, 3000).total_seconds()
    [run] = clock.tick(seconds=due).claimed
    assert run.scheduled_for == START + dt.timedelta(hours=1)
    clock.tick(seconds=due + 99.999)
    assert clock.reported == []
    clock.tick(seconds=due + 100)
    assert clock.reported == ["alert.late nightly"]

"""Jobs of the frequency MANUAL: no timeline; they run by hand or by their flag."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chroniker import schedule
from chroniker.clock.database_clock import database_now
from chroniker.insights.job_status import JobCondition, fetch_job_status
from chroniker.models import Job, Run, Status, Trigger
from chroniker.schedule import Frequency, ScheduleSpec
from chroniker.scheduler import pending_work_queries
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import book_edited_jobs, tick
from tests.support.factories import a_booked_job, a_due_job, a_job, state_of

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)


def a_manual_job(**fields: Any) -> Job:
    return a_booked_job(**{"frequency": Frequency.MANUAL, "cron": "", **fields})


def test_it_has_no_scheduled_times_and_no_tick_starts_it() -> None:
    job = a_manual_job(starts_at=database_now() - HOUR)
    state = state_of(job)
    assert (state.next_instant, state.next_run, state.schedule_error) == (None, None, "")
    assert not tick(now=database_now() + HOUR).claimed
    assert pending_work_queries.next_due_time(database_now() - HOUR) is None


def test_a_job_without_a_schedule_is_valid_whatever_its_start_and_time_zone() -> None:
    now = database_now()
    a_job(frequency=Frequency.MANUAL, cron="").full_clean()
    schedule.validate_schedule(ScheduleSpec("MANUAL"))
    assert schedule.next_instants(ScheduleSpec("MANUAL"), now, 3) == []
    assert schedule.latest_instant_until(ScheduleSpec("MANUAL"), now) is None
    assert (
        schedule.find_schedule_warnings(ScheduleSpec("MANUAL"))
        == schedule.clock_change_notes(ScheduleSpec("MANUAL"), now)
        == []
    )
    assert (
        ScheduleSpec("MANUAL").fingerprint()
        == ScheduleSpec("MANUAL", starts_at=now, timezone="Europe/Paris").fingerprint()
    )


def test_it_runs_by_hand_and_by_its_flag() -> None:
    job = a_manual_job()
    run = run_now(job, requested_by="ann")
    assert (run.trigger, run.scheduled_for, run.interval_start) == (Trigger.MANUAL, None, None)
    other = a_manual_job()
    Job.objects.filter(pk=other.pk).update(force_run=True)
    assert [each.job_id for each in tick().claimed] == [other.pk]


def test_it_is_not_over_and_says_that_it_has_no_schedule() -> None:
    job = a_manual_job()
    status = fetch_job_status([job])[job.pk]
    assert status.condition == JobCondition.MANUAL
    assert status.state_code == "manual"
    assert status.why == "It has no schedule; it is started by hand or by a trigger."


def test_removing_the_schedule_records_the_times_that_waited_and_giving_one_begins_at_the_edit() -> None:
    job = a_due_job(minutes=3)
    Job.objects.filter(pk=job.pk).update(frequency=Frequency.MANUAL)
    book_edited_jobs(database_now())
    skipped = Run.objects.get(job=job)
    assert (skipped.status, skipped.code) == (Status.SKIPPED, "EDITED")
    assert state_of(job).next_run is None
    Job.objects.filter(pk=job.pk).update(frequency=Frequency.CRON)
    book_edited_jobs(database_now())
    next_instant = state_of(job).next_instant
    assert next_instant is not None and next_instant > database_now() - HOUR
    assert Run.objects.filter(job=job).count() == 1

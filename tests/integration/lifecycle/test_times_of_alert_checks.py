"""Alerts that depend on the time: what is looked at first, when again, and what a pause excuses."""

from __future__ import annotations

import datetime as dt

import pytest

import chroniker
from chroniker import lifecycle
from chroniker.eligibility import pauses
from chroniker.models import Alert, Job, Run, Status
from tests.integration.lifecycle.triggered_jobs import an_activation
from tests.support.alert_clock import START, AlertClock, finish, open_alerts
from tests.support.factories import state_of

SECOND, HOUR = dt.timedelta(seconds=1), dt.timedelta(hours=1)
OVERDUE, RECOVERED = "alert.overdue nightly", "alert.recovered nightly"


def test_a_late_job_is_looked_at_again_after_a_minute(clock: AlertClock) -> None:
    job = clock.job(alert_start_seconds=100)
    clock.tick(minutes=1)
    clock.tick(seconds=160)
    assert open_alerts() == ["late"]
    assert state_of(job).alert_at == START + 220 * SECOND


def test_of_a_scheduled_time_and_a_request_that_are_late_the_scheduled_time_is_reported(clock: AlertClock) -> None:
    both = clock.job(alert_start_seconds=10)
    asked = clock.job(name="asked", frequency="MANUAL", cron="", alert_start_seconds=10)
    for job in (both, asked):
        an_activation(job, instant=START, made_at=START, late_at=START + 10 * SECOND)
    lifecycle.update_due_alerts(clock.at(minutes=2), 100)
    minute = START + 60 * SECOND
    alerts = {alert.job_id: alert for alert in Alert.objects.all()}
    assert alerts[both.pk].text.startswith("It was scheduled for 2026-03-02 00:01:00 UTC")
    assert alerts[asked.pk].text.startswith("A run was requested at 2026-03-02 00:00:00 UTC")
    assert [alerts[job.pk].key for job in (both, asked)] == [minute.isoformat(), f"request {START.isoformat()}"]


def overdue(clock: AlertClock, days: int = 1) -> Job:
    """The runs of the first days have failed: each is for 02:00 and has to be done by 05:00."""
    job = clock.job(cron="0 2 * * *", alert_done_by="05:00", alert_failures=0)
    for day in range(days):
        (run,) = clock.tick(days=day, hours=2).claimed
        finish(run, Status.FAILED)
        clock.tick(days=day, hours=5)
    assert clock.reported == [OVERDUE]
    return job


def backfilled(clock: AlertClock, job: Job, status: Status, **since_start: float) -> Run:
    """A run of a backfill for the first scheduled time has ended."""
    now = clock.at(**since_start)
    chroniker.backfill(job, START, START + 3 * HOUR, "anna")
    (run,) = clock.tick(**since_start).claimed
    assert run.instant == START + 2 * HOUR
    finish(run, status)
    lifecycle.update_due_alerts(clock.at(seconds=(now - START).total_seconds() + 60), 100)
    return run


def test_a_failed_run_of_a_backfill_does_not_end_the_alert_about_its_time(clock: AlertClock) -> None:
    job = overdue(clock)
    backfilled(clock, job, Status.FAILED, hours=6)
    assert clock.reported == [OVERDUE]


def test_an_alert_ends_when_its_own_time_is_done_although_a_later_one_is_overdue(clock: AlertClock) -> None:
    job = overdue(clock, days=2)
    backfilled(clock, job, Status.SUCCEEDED, days=1, hours=6)
    assert clock.reported == [OVERDUE, RECOVERED]
    lifecycle.update_due_alerts(clock.at(days=2), 100)
    clock.tick(days=2, hours=1)
    assert clock.reported[:2] == [OVERDUE, RECOVERED]


@pytest.mark.parametrize(("resumed", "reported"), [(270, [OVERDUE]), (300, [OVERDUE]), (301, [])])
def test_a_pause_excuses_a_job_only_if_it_ends_after_the_deadline(
    clock: AlertClock, resumed: int, reported: list[str]
) -> None:
    clock.job(cron="0 2 * * *", alert_done_by="05:00", alert_failures=0)
    (run,) = clock.tick(hours=2).claimed
    finish(run, Status.FAILED)
    clock.at(hours=4)
    pauses.pause("anna")
    clock.tick(minutes=resumed)
    assert clock.reported == [], "it is paused"
    pauses.resume()
    clock.tick(minutes=resumed, seconds=1)
    clock.tick(hours=5, minutes=2)
    assert clock.reported == reported

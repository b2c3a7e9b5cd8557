"""Alerts about failures, missed times, holds and schedule errors."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker import lifecycle
from chroniker.lifecycle import Outcome
from chroniker.models import Alert, JobState, Lease, Run, Status, Trigger
from chroniker.reasons import Code, Reason
from chroniker.scheduler import requests
from chroniker.scheduler.manual_runs import run_now
from tests.support.alert_clock import START, AlertClock, fail, finish, open_alerts
from tests.support.factories import started, state_of

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]


def test_the_third_failure_is_reported_and_the_success_after_it(clock: AlertClock) -> None:
    clock.job(alert_failures=3)
    fail(clock, 1)
    fail(clock, 2)
    assert clock.reported == [] and not Alert.objects.exists()
    fail(clock, 3)
    assert clock.reported == ["alert.failing nightly"]
    fail(clock, 4)
    assert len(clock.reported) == 1
    fail(clock, 5, Status.SUCCEEDED)
    assert clock.reported == ["alert.failing nightly", "alert.recovered nightly"]
    fail(clock, 6)
    assert len(clock.reported) == 2


def test_the_text_names_the_host_that_the_run_has_in_a_column(clock: AlertClock) -> None:
    clock.job()
    (run,) = clock.tick(minutes=1).claimed
    nonce = started(run)
    Run.objects.update(required_host="web1")
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, reason=Reason.of(Code.HOST_GONE)))
    assert Alert.objects.get().text.endswith("Lost contact with its host “web1” before it started.")


def test_retries_that_each_scheduled_time_replaces_do_not_hide_the_failures(clock: AlertClock) -> None:
    """Each claim ends the chain of the retry that it replaces."""
    clock.job(cron="*/5 * * * *", max_retries=1, retry_backoff_seconds=600, alert_failures=2)
    fail(clock, 5)
    fail(clock, 10)
    assert clock.reported == []
    (run,) = clock.tick(minutes=15).claimed
    assert run.trigger == Trigger.SCHEDULE and clock.reported == ["alert.failing nightly"]
    finish(run)
    assert clock.reported == ["alert.failing nightly", "alert.recovered nightly"]


def test_a_failure_between_two_ticks_is_reported(clock: AlertClock) -> None:
    job = clock.job()
    (run,) = clock.tick(minutes=1).claimed
    finish(run, Status.FAILED)
    clock.at(minutes=1, seconds=2)
    run = run_now(job, "anna")
    finish(run)
    assert clock.reported == ["alert.failing nightly", "alert.recovered nightly"]


def test_the_end_of_an_alert_ends_no_other_episode(clock: AlertClock) -> None:
    one = clock.job(name="one")
    clock.job(name="two")
    for minutes, status in enumerate((Status.FAILED, Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED), 1):
        for run in clock.tick(minutes=minutes).claimed:
            finish(run, status if run.job_id == one.pk else Status.FAILED)
    of_one = ["alert.failing one", "alert.recovered one"]
    assert clock.reported == [of_one[0], "alert.failing two", of_one[1], *of_one]
    ends = [START + dt.timedelta(minutes=minutes) for minutes in (2, 4)]
    assert list(Alert.objects.filter(job=one).order_by("pk").values_list("ended_at", flat=True)) == ends
    assert open_alerts() == ["failing"]


def test_failures_by_hand_count_and_zero_means_never(clock: AlertClock) -> None:
    job = clock.job(alert_failures=0)
    finish(run_now(job, "anna"), Status.FAILED)
    assert clock.reported == [] and state_of(job).failures == 1


def test_a_chain_of_many_failed_attempts_is_one_failure(clock: AlertClock) -> None:
    job = clock.job(cron="1 0 * * *", max_retries=2, retry_backoff_seconds=0, alert_failures=3)
    for minutes in (1, 2, 3):
        fail(clock, minutes)
    assert Run.objects.latest("token").attempt == 3
    assert clock.reported == [] and state_of(job).failures == 1


def test_lost_attempts_count_from_the_number_of_failures_on(clock: AlertClock) -> None:
    """A lost run that is retried without limit never ends its chain."""
    job = clock.job(cron="5 0 * * *", alert_failures=4, retry_on_lost=True, retry_backoff_seconds=0)
    reported, failures = [], []
    for attempt in range(1, 6):
        (run,) = clock.tick(minutes=attempt * 5).claimed
        assert run.attempt == attempt
        clock.at(minutes=attempt * 5 + 2)
        Lease.objects.update(expires_at=START - dt.timedelta(hours=1))
        lifecycle.expire_runs(10)
        reported.append(len(clock.reported))
        failures.append(state_of(job).failures)
    assert (reported, failures) == ([0, 0, 0, 1, 1], [0, 0, 1, 2, 3])
    assert clock.reported == ["alert.failing nightly"]


def test_missed_times_are_reported_until_a_success(clock: AlertClock) -> None:
    clock.job(cron="*/10 * * * *", misfire_grace_seconds=60)
    clock.tick(minutes=25)
    assert clock.reported == ["alert.missed nightly"]
    clock.tick(minutes=45)
    assert clock.reported == ["alert.missed nightly"]
    (run,) = clock.tick(minutes=50).claimed
    finish(run)
    assert clock.reported == ["alert.missed nightly", "alert.recovered nightly"]


def test_of_all_edits_only_a_new_schedule_ends_the_alert_about_missed_times(clock: AlertClock) -> None:
    job = clock.job(cron="*/10 * * * *", misfire_grace_seconds=60)
    clock.tick(minutes=25)
    for minutes, edit, expected in ((26, {"priority": 9}, ["missed"]), (27, {"cron": "*/30 * * * *"}, [])):
        job.refresh_from_db()
        for name, value in edit.items():
            setattr(job, name, value)
        job.save()
        clock.tick(minutes=minutes)
        job.refresh_from_db()
        assert job.edited_at is None and open_alerts() == expected
    assert clock.reported == ["alert.missed nightly", "alert.recovered nightly"]


def test_a_hold_is_reported_until_it_is_lifted(clock: AlertClock) -> None:
    job = clock.job(hold_on_failure=True, alert_failures=0)
    fail(clock, 1)
    assert clock.reported == ["alert.held nightly"]
    requests.resume_job(job, "anna")
    assert clock.reported == ["alert.held nightly", "alert.recovered nightly"]


def test_a_schedule_error_is_reported_until_the_edit(clock: AlertClock) -> None:
    job = clock.job()
    JobState.objects.filter(pk=job.pk).update(booked_fingerprint="x")
    lifecycle.suspend_schedule(state_of(job), ValueError("no such day"))
    assert clock.reported == ["alert.set_aside nightly"]
    assert Alert.objects.get().text == "Its schedule cannot be computed. ValueError: no such day."
    job.cron = "*/2 * * * *"
    job.save()
    clock.tick(seconds=30)
    assert clock.reported[1:] == ["alert.recovered nightly"]


def test_disabling_a_job_ends_its_alerts_without_a_message(clock: AlertClock) -> None:
    job = clock.job(alert_failures=1)
    fail(clock, 1)
    job.refresh_from_db()
    job.enabled = False
    job.save()
    clock.tick(minutes=2)
    assert clock.reported == ["alert.failing nightly"] and open_alerts() == []
    assert state_of(job).alert_at is None

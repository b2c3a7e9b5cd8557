"""Alerts about runs that take too long, and about jobs that are not done by their deadline."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import override_settings

import chroniker
from chroniker import lifecycle
from chroniker.eligibility import hosts
from chroniker.lifecycle import Outcome
from chroniker.models import EVERY_HOST, Alert, Job, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.alert_clock import START, AlertClock, finish, open_alerts
from tests.support.factories import started, state_of

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]


def test_a_run_that_takes_too_long_is_slow_while_it_runs(clock: AlertClock) -> None:
    clock.job(cron="0 0 * * *", alert_run_seconds=60)
    (run,) = clock.tick(days=1).claimed
    clock.at(days=1, seconds=5)
    started(run)
    clock.tick(days=1, seconds=64)
    assert clock.reported == []
    clock.tick(days=1, seconds=65)
    assert clock.reported == ["alert.slow nightly"]
    assert "Run 1, started at 2026-03-03 00:00:05 UTC, has taken longer than 1 min." in Alert.objects.get().text
    clock.tick(days=1, seconds=100)
    finish(run)
    clock.tick(days=1, seconds=200)
    assert clock.reported == ["alert.slow nightly", "alert.recovered nightly"]


def test_a_slow_run_that_has_ended_before_a_tick_is_reported(clock: AlertClock) -> None:
    clock.job(cron="0 0 * * *", alert_run_seconds=60)
    (run,) = clock.tick(days=1).claimed
    started(run)
    clock.at(days=1, seconds=61)
    finish(run)
    assert clock.reported == ["alert.slow nightly", "alert.recovered nightly"]


def test_a_run_that_has_taken_exactly_the_limit_was_not_slow(clock: AlertClock) -> None:
    clock.job(cron="0 0 * * *", alert_run_seconds=60)
    (run,) = clock.tick(days=1).claimed
    started(run)
    clock.at(days=1, seconds=60)
    finish(run)
    assert clock.reported == []


def test_a_slow_run_on_every_host_names_the_hosts_and_is_one_alert(clock: AlertClock) -> None:
    job = clock.job(hostname=EVERY_HOST, alert_run_seconds=60)
    clock.at(minutes=1)
    for name in ("web1", "web2", "web3"):
        hosts.record_heartbeat(["default"], host_name=name)
    parent, first, second, third = clock.tick(minutes=1).claimed
    nonces = {run.pk: started(run, run.required_host) for run in (first, second)}
    clock.at(minutes=1, seconds=30)
    assert lifecycle.finish(first.pk, first.token, nonces[first.pk], Outcome(Status.SUCCEEDED))
    clock.tick(minutes=2)
    assert clock.reported == ["alert.slow nightly"]
    alert = Alert.objects.get()
    assert (alert.job, alert.run_id) == (job, parent.pk)
    started_at = f"Run {parent.token}, started at 2026-03-02 00:01:00 UTC, has taken longer than 1 min."
    assert alert.text == f"{started_at} It succeeded on 1 of 3 hosts. The others: web2: running, web3: queued."
    assert lifecycle.finish(second.pk, second.token, nonces[second.pk], Outcome(Status.FAILED))
    assert clock.reported == ["alert.slow nightly"], "the end of a child says nothing"
    nonce = started(third, third.required_host)
    assert lifecycle.finish(third.pk, third.token, nonce, Outcome(Status.SUCCEEDED))
    assert clock.reported == ["alert.slow nightly", "alert.failing nightly", "alert.recovered nightly"]


def test_a_slow_run_on_every_host_that_has_ended_before_a_tick_names_the_slow_hosts(clock: AlertClock) -> None:
    clock.job(hostname=EVERY_HOST, alert_run_seconds=60)
    clock.at(minutes=1)
    for name in ("web1", "web2", "web3"):
        hosts.record_heartbeat(["default"], host_name=name)
    parent, *children = clock.tick(minutes=1).claimed
    nonces = {run.pk: started(run, run.required_host) for run in children}
    for run, seconds in zip(children, (30, 90, 120), strict=True):
        clock.at(minutes=1, seconds=seconds)
        assert lifecycle.finish(run.pk, run.token, nonces[run.pk], Outcome(Status.SUCCEEDED))
    assert clock.reported == ["alert.slow nightly", "alert.recovered nightly"]
    started_at = f"Run {parent.token}, started at 2026-03-02 00:01:00 UTC, has taken longer than 1 min."
    assert Alert.objects.get().text == f"{started_at} Web3: 2 min, web2: 1 min 30 s."


def test_a_run_of_a_backfill_may_be_slow_and_says_nothing_else_about_the_schedule(clock: AlertClock) -> None:
    job = clock.job(cron="*/10 * * * *", misfire_grace_seconds=60, alert_run_seconds=60)
    clock.tick(minutes=25)
    assert clock.reported == ["alert.missed nightly"]
    row = chroniker.backfill(job, START, START + dt.timedelta(minutes=20), "anna")
    (run,) = clock.tick(minutes=25, seconds=1).claimed
    assert run.backfill == row.pk
    with override_settings(CHRONIKER_ALERTS={"alert_start_seconds": 60}):
        clock.tick(minutes=27)
        clock.tick(minutes=28)
    assert open_alerts() == ["missed"], "a queued run of a backfill is not late"
    started(run)
    clock.tick(minutes=29, seconds=30)
    assert open_alerts() == ["missed", "slow"]
    finish(run)
    assert clock.reported[1:] == ["alert.slow nightly", "alert.recovered nightly"]
    assert open_alerts() == ["missed"], "the success of a backfill does not end it"


def done_by(clock: AlertClock, **fields: Any) -> Job:
    return clock.job(cron="0 3 * * *", timezone="Europe/Paris", alert_done_by="06:00", **fields)


def test_a_job_that_is_not_done_by_its_deadline_is_overdue(clock: AlertClock) -> None:
    done_by(clock, alert_failures=0)
    (run,) = clock.tick(hours=2).claimed  # 03:00 in Paris
    finish(run, Status.FAILED)
    clock.tick(hours=4, minutes=59)
    assert clock.reported == []
    clock.tick(hours=5)
    assert clock.reported == ["alert.overdue nightly"]
    expected = "No run for the scheduled time 2026-03-02 02:00:00 UTC had succeeded by 2026-03-02 05:00:00 UTC"
    assert expected in Alert.objects.get().text
    finish(run_now(Job.objects.get(), "anna"))  # a run by hand that is for a later time
    clock.tick(hours=5, minutes=1)
    assert clock.reported == ["alert.overdue nightly", "alert.recovered nightly"]


def test_a_successful_backfill_run_ends_the_alert_about_an_overdue_time(clock: AlertClock) -> None:
    job = done_by(clock, alert_failures=0)
    (run,) = clock.tick(hours=2).claimed
    finish(run, Status.FAILED)
    clock.tick(hours=5)
    chroniker.backfill(job, START, START + dt.timedelta(hours=3), "anna")
    (run,) = clock.tick(hours=5, minutes=1).claimed
    assert run.instant == START + dt.timedelta(hours=2)
    finish(run)
    clock.tick(hours=5, minutes=2)
    assert clock.reported == ["alert.overdue nightly", "alert.recovered nightly"]


def test_a_job_that_is_done_in_time_is_not_overdue(clock: AlertClock) -> None:
    done_by(clock)
    (run,) = clock.tick(hours=2).claimed
    finish(run)
    clock.tick(hours=5)
    assert clock.reported == []


def test_the_day_before_the_job_existed_is_not_overdue(clock: AlertClock) -> None:
    clock.job(cron="30 23 * * *", alert_done_by="06:00")
    clock.tick(hours=6)
    assert clock.reported == []


def test_a_time_at_which_the_job_was_made_is_not_overdue(clock: AlertClock) -> None:
    """Its first scheduled time is the one after it was made."""
    job = clock.job(cron="0 0 * * *", alert_done_by="06:00")
    clock.tick(hours=6)
    state = state_of(job)
    assert (state.expected_since, state.next_instant) == (START, START + dt.timedelta(days=1))
    assert clock.reported == []

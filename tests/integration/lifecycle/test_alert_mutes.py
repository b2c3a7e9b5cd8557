"""Mutes keep alerts quiet; open alerts are repeated, old ones deleted."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker import lifecycle
from chroniker.lifecycle import alert_mutes
from chroniker.models import Alert, AlertKind, Group, Job, Status
from chroniker.scheduler import fleet_work
from tests.support.alert_clock import START, AlertClock, fail, finish, open_alerts

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]


def test_a_mute_keeps_quiet_and_what_is_still_open_is_reported_after_it(clock: AlertClock) -> None:
    job = clock.job()
    lifecycle.mute(START + dt.timedelta(minutes=10), "anna", job=job)
    fail(clock, 1)
    assert clock.reported == [] and open_alerts() == ["failing"]
    clock.tick(minutes=9)
    assert clock.reported == []
    clock.tick(minutes=10)
    assert clock.reported == ["alert.failing nightly"]


def test_an_alert_that_was_muted_ends_without_a_message(clock: AlertClock) -> None:
    clock.job()
    lifecycle.mute(START + dt.timedelta(minutes=10), "anna")
    fail(clock, 1)
    fail(clock, 2, Status.SUCCEEDED)
    clock.tick(minutes=11)
    assert clock.reported == [] and open_alerts() == []


def test_the_end_of_an_alert_that_was_reported_after_a_mute_is_reported(clock: AlertClock) -> None:
    clock.job()
    lifecycle.mute(START + dt.timedelta(minutes=10), "anna")
    fail(clock, 1)
    fail(clock, 10, Status.SUCCEEDED)  # the tick reports the alert before the run ends
    assert clock.reported == ["alert.failing nightly", "alert.recovered nightly"]


def test_the_end_of_a_reported_alert_is_reported_under_a_mute_too(clock: AlertClock) -> None:
    job = clock.job()
    fail(clock, 1)
    lifecycle.mute(START + dt.timedelta(minutes=10), "anna", job=job)
    fail(clock, 2, Status.SUCCEEDED)
    assert clock.reported == ["alert.failing nightly", "alert.recovered nightly"]


def test_a_maintenance_window_begins_later_and_a_mute_can_be_ended(clock: AlertClock) -> None:
    group = Group.objects.create(name="night")
    clock.job(group=group)
    begin, end = START + dt.timedelta(minutes=2), START + dt.timedelta(hours=1)
    mute = lifecycle.mute(end, "anna", group=group, since=begin)
    assert alert_mutes.read_mute_end_time_by_job({job.pk: job for job in Job.objects.all()}, clock.at(minutes=1)) == {}
    fail(clock, 3)
    assert clock.reported == []
    clock.at(minutes=4)
    assert lifecycle.unmute(type(mute).objects.filter(pk=mute.pk)) == 1
    clock.tick(minutes=4, seconds=1)
    assert clock.reported == ["alert.failing nightly"]


def test_an_open_alert_is_repeated(clock: AlertClock) -> None:
    clock.job(cron="0 0 * * *", alert_repeat_seconds=3600)
    (run,) = clock.tick(days=1).claimed
    finish(run, Status.FAILED)
    clock.tick(days=1, minutes=59)
    assert len(clock.reported) == 1
    clock.tick(days=1, minutes=60)
    clock.tick(days=1, minutes=61)
    assert clock.reported == ["alert.failing nightly"] * 2
    clock.tick(days=1, minutes=121)
    assert len(clock.reported) == 3


def test_old_alerts_are_deleted(clock: AlertClock) -> None:
    clock.job()
    fail(clock, 1)
    fail(clock, 2, Status.SUCCEEDED)
    fail(clock, 3)
    fleet_work.delete_old_records(START + dt.timedelta(days=89))
    assert Alert.objects.count() == 2
    fleet_work.delete_old_records(START + dt.timedelta(days=91))
    assert [alert.kind for alert in Alert.objects.all()] == [AlertKind.FAILING]

"""Mutes keep alerts quiet; open alerts are repeated, old ones deleted."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker import lifecycle
from chroniker.lifecycle import alert_mutes
from chroniker.models import Alert, AlertKind, AlertMute, Group, Job, JobState, Status
from chroniker.scheduler import fleet_work
from tests.support.alert_clock import START, AlertClock, fail, finish, open_alerts
from tests.support.channels import an_alert
from tests.support.factories import state_of

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]

MINUTE = dt.timedelta(minutes=1)


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


def test_a_mute_of_a_job_or_a_group_keeps_no_other_job_quiet(clock: AlertClock) -> None:
    night, day = (Group.objects.create(name=name) for name in ("night", "day"))
    for name, group in (("muted", None), ("in night", night), ("in day", day), ("alone", None)):
        clock.job(name=name, group=group, alert_start_seconds=10)
    lifecycle.mute(START + 10 * MINUTE, "anna", job=Job.objects.get(name="muted"))
    lifecycle.mute(START + 10 * MINUTE, "anna", group=night)
    lifecycle.update_due_alerts(clock.at(minutes=2), 10)
    assert open_alerts() == ["late"] * 4
    assert sorted(clock.reported) == ["alert.late alone", "alert.late in day"]


def test_the_report_after_a_mute_is_not_that_of_a_job_that_is_muted_longer(clock: AlertClock) -> None:
    short, long = (clock.job(name=name) for name in ("short", "long"))
    lifecycle.mute(START + 10 * MINUTE, "anna", job=short)
    lifecycle.mute(START + 20 * MINUTE, "anna", job=long)
    for run in clock.tick(minutes=1).claimed:
        finish(run, Status.FAILED)
    alert_mutes.schedule_alert_checks([short.pk, long.pk])
    clock.tick(minutes=1)
    assert state_of(short).alert_at == START + 10 * MINUTE, "nothing to do before the end of the mute"
    clock.tick(minutes=10)
    assert clock.reported == ["alert.failing short"]
    clock.tick(minutes=20)
    assert clock.reported == ["alert.failing short", "alert.failing long"]


def test_of_the_chosen_mutes_planned_ones_are_removed_and_active_ones_end_now(clock: AlertClock) -> None:
    spans = {"over": (0, 30), "active": (0, 90), "planned": (90, 120)}
    for who in ("anna", "ben"):
        for reason, (begin, end) in spans.items():
            lifecycle.mute(START + end * MINUTE, who, since=START + begin * MINUTE, reason=reason)
    clock.at(hours=1)
    assert lifecycle.unmute(AlertMute.objects.filter(muted_by="anna")) == 2
    left = {(each.muted_by, each.reason): (each.ends_at - START) // MINUTE for each in AlertMute.objects.all()}
    of_ben = {("ben", reason): end for reason, (_begin, end) in spans.items()}
    assert left == {("anna", "over"): 30, ("anna", "active"): 60, **of_ben}


def test_after_the_end_of_a_mute_only_jobs_with_an_open_alert_without_a_message_are_checked(clock: AlertClock) -> None:
    alerts = {name: an_alert(clock.job(name=name)) for name in ("quiet", "reported", "over")}
    clock.job(name="without an alert")
    Alert.objects.filter(pk=alerts["reported"].pk).update(reported_at=START)
    Alert.objects.filter(pk=alerts["over"].pk).update(ended_at=START)
    lifecycle.mute(START + 10 * MINUTE, "anna")
    lifecycle.unmute(AlertMute.objects.all())
    assert list(JobState.objects.exclude(alert_at=None).values_list("job__name", flat=True)) == ["quiet"]


def test_the_reason_of_a_mute_and_the_name_of_its_author_are_cut(clock: AlertClock) -> None:
    mute = lifecycle.mute(START + MINUTE, "a" * 151, reason=" " + "b" * 501)
    assert (mute.muted_by, mute.reason) == ("a" * 150, "b" * 500)


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


def test_a_check_between_two_repetitions_reports_nothing(clock: AlertClock) -> None:
    """Such as after an edit of the job."""
    job = clock.job(cron="0 0 * * *", alert_repeat_seconds=3600)
    (run,) = clock.tick(days=1).claimed
    finish(run, Status.FAILED)
    assert state_of(job).alert_at == START + dt.timedelta(days=1, hours=1)
    for minutes, messages, next_check in ((0, 1, 60), (30, 1, 60), (60, 2, 120), (90, 2, 120)):
        now = clock.at(days=1, minutes=minutes)
        alert_mutes.schedule_alert_checks([job.pk])
        clock.tick(days=1, minutes=minutes)
        assert len(clock.reported) == messages
        assert state_of(job).alert_at == now + (next_check - minutes) * MINUTE


def test_further_failures_do_not_put_off_the_repetition(clock: AlertClock) -> None:
    clock.job(cron="*/10 * * * *", alert_repeat_seconds=3600)
    for minutes in range(10, 80, 10):
        fail(clock, minutes)
    assert clock.reported == ["alert.failing nightly"] * 2


def test_an_episode_that_has_ended_is_not_repeated(clock: AlertClock) -> None:
    clock.job(alert_repeat_seconds=3600)
    for minutes, status in enumerate((Status.FAILED, Status.SUCCEEDED, Status.FAILED), 1):
        fail(clock, minutes, status)
    assert len(clock.reported) == 3
    clock.tick(minutes=63)
    assert len(clock.reported) == 4


def test_old_alerts_are_deleted(clock: AlertClock) -> None:
    clock.job()
    fail(clock, 1)
    fail(clock, 2, Status.SUCCEEDED)
    fail(clock, 3)
    fleet_work.delete_old_records(START + dt.timedelta(days=89))
    assert Alert.objects.count() == 2
    fleet_work.delete_old_records(START + dt.timedelta(days=91))
    assert [alert.kind for alert in Alert.objects.all()] == [AlertKind.FAILING]

"""Alerts about jobs that start late, and why a pause or a hold-off makes none."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import override_settings

from chroniker import lifecycle
from chroniker.eligibility import pauses
from chroniker.lifecycle import alert_watch
from chroniker.models import Activation, Alert, Group, Job, JobState, Run
from chroniker.models.alert import alert_scope_of_job
from chroniker.scheduler import events, requests
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick_record import TickRecorder
from tests.support.alert_clock import START, AlertClock, fail, finish, open_alerts
from tests.support.factories import started, state_of

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]


def test_a_job_is_late_once_when_nothing_ticked(clock: AlertClock) -> None:
    job = clock.job(frequency="SECONDLY", cron="", params="interval:5", alert_start_seconds=10)
    clock.tick(seconds=1)
    (run,) = clock.tick(seconds=24).claimed  # the first scheduled time was 19 s ago
    assert clock.reported == ["alert.late nightly"]
    clock.tick(seconds=24.5)
    started(run)
    clock.tick(seconds=25)
    finish(run)
    assert clock.reported == ["alert.late nightly", "alert.recovered nightly"]
    alert = Alert.objects.get(job=job)
    assert alert.raised_at == START + dt.timedelta(seconds=24) and alert.ended_at == START + dt.timedelta(seconds=25)
    assert state_of(job).alerts_open == 0


def test_a_queued_run_is_late_until_it_starts(clock: AlertClock) -> None:
    clock.job(alert_start_seconds=100)
    (run,) = clock.tick(minutes=1).claimed
    clock.tick(seconds=159)
    assert clock.reported == []
    clock.tick(seconds=160)
    assert clock.reported == ["alert.late nightly"]
    alert = Alert.objects.get()
    text = alert.text
    assert alert.run_id == run.pk
    assert text.startswith(
        "It was scheduled for 2026-03-02 00:01:00 UTC and had not started by 2026-03-02 00:02:40 UTC."
    )
    assert "no executor has taken it" in text or "queued since" in text
    started(run)
    clock.tick(seconds=161)
    assert clock.reported[1:] == ["alert.recovered nightly"]


def test_an_alert_does_not_name_the_running_run_that_a_later_time_waits_for(clock: AlertClock) -> None:
    clock.job(alert_start_seconds=100)
    (run,) = clock.tick(minutes=1).claimed
    started(run)
    clock.tick(minutes=4)
    assert clock.reported == ["alert.late nightly"]
    assert Alert.objects.get().run_id is None


def requested(job: Job) -> Activation:
    return events.trigger(job, by="a program")


def test_a_request_that_waits_is_late_until_its_run_starts(clock: AlertClock) -> None:
    group = Group.objects.create(name="one at a time", limit=1)
    job = clock.job(frequency="MANUAL", cron="", alert_start_seconds=100, group=group)
    other = clock.job(name="other", cron="0 0 * * *", group=group)
    blocking = run_now(other, "anna")
    clock.tick(seconds=1)  # looks at the new jobs
    clock.at(seconds=10)
    requested(job)
    clock.tick(seconds=109)
    assert clock.reported == []
    assert clock.tick(seconds=110).claimed == []
    assert clock.reported == ["alert.late nightly"]
    assert Alert.objects.get().text.startswith(
        "A run was requested at 2026-03-02 00:00:10 UTC and had not started by 2026-03-02 00:01:50 UTC."
    )
    finish(blocking)
    (run,) = clock.tick(seconds=120).claimed
    clock.tick(seconds=121)
    assert clock.reported == ["alert.late nightly"], "queued, not started"
    started(run)
    clock.tick(seconds=122)
    assert clock.reported == ["alert.late nightly", "alert.recovered nightly"]
    assert not Activation.objects.exclude(late_at=None).exists()


def test_a_request_that_starts_in_time_is_not_late(clock: AlertClock) -> None:
    job = clock.job(frequency="MANUAL", cron="", alert_start_seconds=100)
    requested(job)
    (run,) = clock.tick(seconds=1).claimed
    finish(run)
    clock.tick(seconds=101)
    assert clock.reported == [] and not Activation.objects.exclude(late_at=None).exists()


def test_a_queued_run_of_a_request_is_late_until_it_starts(clock: AlertClock) -> None:
    job = clock.job(frequency="MANUAL", cron="", alert_start_seconds=100)
    clock.tick(seconds=1)
    requested(job)
    (run,) = clock.tick(seconds=50).claimed
    clock.tick(seconds=149)
    assert clock.reported == []
    clock.tick(seconds=150)
    assert clock.reported == ["alert.late nightly"]
    finish(run)
    clock.tick(seconds=151)
    assert clock.reported == ["alert.late nightly", "alert.recovered nightly"]


# Without the pause it would be late at 101 s.
@pytest.mark.parametrize(("resumed", "looked"), [(200, 201), (50, 101)])
def test_a_request_waits_through_a_pause_and_behind_runs_by_hand(clock: AlertClock, resumed: int, looked: int) -> None:
    """The claim of a run by hand overwrites the time of the next look, without regard to the request."""
    job = clock.job(frequency="MANUAL", cron="", alert_start_seconds=100)
    clock.tick(seconds=1)
    pauses.pause("anna")
    requested(job)
    clock.tick(seconds=resumed)
    pauses.resume()
    run = run_now(job, "anna")
    started(run)
    clock.tick(seconds=looked)
    finish(run)
    started(run_now(job, "anna"))
    clock.tick(seconds=resumed + 99)
    assert clock.reported == []
    clock.tick(seconds=resumed + 101)
    assert clock.reported == ["alert.late nightly"]


def test_two_ticks_report_one_message(clock: AlertClock) -> None:
    job = clock.job(alert_start_seconds=10)
    now = clock.at(minutes=2)
    lifecycle.update_due_alerts(now, 100)
    # Another tick has read the same job before.
    JobState.objects.filter(pk=job.pk).update(alert_at=now, alerts_open=0)
    lifecycle.update_due_alerts(now, 100)
    assert clock.reported == ["alert.late nightly"]
    assert Alert.objects.count() == 1


def test_only_the_same_episode_is_opened_again(clock: AlertClock) -> None:
    """Its job may have an alert of another kind with this key, such as the scheduled time that is late and missed."""
    job, other = clock.job(alert_start_seconds=10), clock.job(name="other", cron="0 0 * * *")
    now = clock.at(minutes=2)
    lifecycle.update_due_alerts(now, 100)
    late = Alert.objects.get()
    same = {"job": job, "scope": late.scope, "kind": late.kind, "key": late.key, "raised_at": now}
    Alert.objects.create(**{**same, "kind": "missed"})
    Alert.objects.create(**{**same, "key": "another"})
    Alert.objects.create(**{**same, "job": other, "scope": alert_scope_of_job(other.pk)})
    Alert.objects.update(ended_at=now)
    JobState.objects.filter(pk=job.pk).update(alert_at=now, alerts_open=0)
    lifecycle.update_due_alerts(now, 100)
    assert [alert.pk for alert in Alert.objects.filter(ended_at=None)] == [late.pk]


def test_a_resumed_job_is_late_only_when_it_has_waited_since(clock: AlertClock) -> None:
    job = clock.job(hold_on_failure=True, alert_failures=0, alert_start_seconds=100)
    fail(clock, 1)
    clock.tick(hours=1)
    assert open_alerts() == ["held"]
    requests.resume_job(job, "anna")
    clock.tick(hours=1, seconds=1)
    clock.tick(hours=1, seconds=99)
    assert open_alerts() == []
    clock.tick(hours=1, seconds=101)
    assert open_alerts() == ["late"]


@pytest.mark.parametrize("whole", [True, False])
def test_nothing_is_late_while_paused_nor_at_once_afterwards(clock: AlertClock, whole: bool) -> None:
    group = Group.objects.create(name="night")
    clock.job(alert_start_seconds=100, group=group, catch_up="EACH", misfire_grace_seconds=86_400)
    clock.tick(seconds=1)
    pauses.pause("anna", "move", None if whole else group)
    clock.tick(hours=1)
    clock.tick(hours=1, minutes=2)
    assert clock.reported == []
    pauses.resume(None if whole else group)
    (run,) = clock.tick(hours=1, minutes=2, seconds=1).claimed
    clock.tick(hours=1, minutes=3, seconds=39)
    assert clock.reported == []
    clock.tick(hours=1, minutes=3, seconds=41)
    assert clock.reported == ["alert.late nightly"]
    finish(run)
    clock.tick(hours=1, minutes=4)
    assert open_alerts() == ["late"]  # sixty times wait: one episode


def paused_passes(clock: AlertClock, **since_start: float) -> None:
    """A process with the setting starts, and ticks."""
    with override_settings(CHRONIKER_PAUSED=True):
        now = clock.at(**since_start)
        assert clock.tick(**since_start).claimed == []
        TickRecorder("cronserver", 5.0).record_pass(now, 0.1, 0)


def test_nothing_is_late_at_once_after_a_pause_by_the_settings(clock: AlertClock) -> None:
    clock.job(alert_start_seconds=100)
    clock.tick(seconds=1)
    for hours in (1, 2):
        paused_passes(clock, hours=hours)
    assert clock.reported == []
    (run,) = clock.tick(hours=2, seconds=1).claimed
    assert not alert_watch.select_pauses_that_change_alerts()[0].exists(), "the end of the pause is noticed once"
    clock.tick(hours=2, seconds=100)
    assert clock.reported == []
    clock.tick(hours=2, seconds=102)
    assert clock.reported == ["alert.late nightly"], "it has not started since"
    finish(run)


def test_a_paused_process_beside_others_changes_nothing(clock: AlertClock) -> None:
    """Otherwise each of its passes would put off the lateness of all jobs."""
    clock.job(alert_start_seconds=100)
    (run,) = clock.tick(minutes=1).claimed
    TickRecorder("beat", 5.0).record_pass(clock.at(minutes=1), 0.1, 1)
    paused_passes(clock, minutes=2)
    clock.tick(minutes=2, seconds=41)
    assert clock.reported == ["alert.late nightly"]
    finish(run)


def test_a_pause_ends_an_open_alert_without_a_message(clock: AlertClock) -> None:
    clock.job(alert_start_seconds=10)
    Run.objects.all().delete()
    lifecycle.update_due_alerts(clock.at(minutes=2), 10)
    assert open_alerts() == ["late"]
    pauses.pause("anna")
    clock.tick(minutes=3)
    assert open_alerts() == [] and clock.reported == ["alert.late nightly"]


def test_lateness_counts_from_the_end_of_a_hold_off(clock: AlertClock) -> None:
    clock.job(alert_start_seconds=100)
    clock.tick(seconds=1)
    clock.at(hours=1)
    lifecycle.set_lateness_start_to_now()
    clock.tick(hours=1, seconds=1)
    assert clock.reported == []

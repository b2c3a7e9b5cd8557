"""Alerts: raised once, reported once, and ended once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

import chroniker
from chroniker import lifecycle
from chroniker.clock import simulated_time
from chroniker.eligibility import hosts, pauses
from chroniker.lifecycle import Outcome, alert_mutes, alert_watch
from chroniker.models import EVERY_HOST, Activation, Alert, AlertKind, Group, Job, JobState, Lease, Run, Status, Trigger
from chroniker.reasons import Code, Reason
from chroniker.scheduler import events, fleet_work, requests
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick_record import TickRecord
from tests.support.alert_clock import START, AlertClock, finish, open_alerts, record_events
from tests.support.factories import started, state_of

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertClock]:
    clock = AlertClock()
    record_events(monkeypatch, clock)
    with simulated_time.simulated(), override_settings(CHRONIKER_LOCK_TIMEOUT=86_400):
        simulated_time.set_moment(START)
        yield clock


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
    text = Alert.objects.get().text
    assert text.startswith("It was scheduled for 2026-03-02 00:01:00 and had not started by 2026-03-02 00:02:40.")
    assert "no executor has taken it" in text or "queued since" in text
    started(run)
    clock.tick(seconds=161)
    assert clock.reported[1:] == ["alert.recovered nightly"]


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
        "A run was requested at 2026-03-02 00:00:10 and had not started by 2026-03-02 00:01:50."
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


def test_a_request_waits_through_a_pause_and_behind_runs_by_hand(clock: AlertClock) -> None:
    """The claim of a run by hand overwrites the time of the next look, without regard to the request."""
    job = clock.job(frequency="MANUAL", cron="", alert_start_seconds=100)
    clock.tick(seconds=1)
    pauses.pause("anna")
    requested(job)
    clock.tick(seconds=200)
    pauses.resume()
    run = run_now(job, "anna")
    started(run)
    clock.tick(seconds=201)
    finish(run)
    started(run_now(job, "anna"))
    clock.tick(seconds=299)
    assert clock.reported == []
    clock.tick(seconds=301)
    assert clock.reported == ["alert.late nightly"]


def test_two_ticks_report_one_message(clock: AlertClock) -> None:
    job = clock.job(alert_start_seconds=10)
    now = clock.at(minutes=2)
    lifecycle.look_at_alerts(now, 100)
    # Another tick has read the same job before.
    JobState.objects.filter(pk=job.pk).update(alert_at=now, alerts_open=0)
    lifecycle.look_at_alerts(now, 100)
    assert clock.reported == ["alert.late nightly"]
    assert Alert.objects.count() == 1


def fail(clock: AlertClock, minutes: int, status: Status = Status.FAILED) -> None:
    (run,) = clock.tick(minutes=minutes).claimed
    finish(run, status)


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


def test_failures_by_hand_count_and_zero_means_never(clock: AlertClock) -> None:
    job = clock.job(alert_failures=0)
    finish(run_now(job, "anna"), Status.FAILED)
    assert clock.reported == [] and state_of(job).failures == 1


def test_lost_attempts_count_from_the_number_of_failures_on(clock: AlertClock) -> None:
    """A lost run that is retried without limit never ends its chain."""
    clock.job(alert_failures=4, retry_on_lost=True, retry_backoff_seconds=0)
    reported = []
    for attempt in range(1, 6):
        minutes = attempt * 5
        runs = clock.tick(minutes=minutes).claimed
        assert len(runs) == 1
        Run.objects.filter(pk=runs[0].pk).update(attempt=attempt)
        clock.at(minutes=minutes + 2)
        Lease.objects.update(expires_at=START - dt.timedelta(hours=1))
        lifecycle.expire(10)
        reported.append(list(clock.reported))
    assert reported[2] == [] and reported[3] == ["alert.failing nightly"] and reported[4] == reported[3]


def test_a_run_that_takes_too_long_is_slow_while_it_runs(clock: AlertClock) -> None:
    clock.job(cron="0 0 * * *", alert_run_seconds=60)
    (run,) = clock.tick(days=1).claimed
    clock.at(days=1, seconds=5)
    started(run)
    clock.tick(days=1, seconds=64)
    assert clock.reported == []
    clock.tick(days=1, seconds=65)
    assert clock.reported == ["alert.slow nightly"]
    assert "Run 1, started 2026-03-03 00:00:05, takes longer than 1 min." in Alert.objects.get().text
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


def test_a_slow_run_on_every_host_names_the_hosts_and_is_one_alert(clock: AlertClock) -> None:
    job = clock.job(hostname=EVERY_HOST, alert_run_seconds=60)
    clock.at(minutes=1)
    for name in ("web1", "web2", "web3"):
        hosts.record_heartbeat(["default"], name=name)
    parent, first, second, third = clock.tick(minutes=1).claimed
    nonces = {run.pk: started(run, run.required_host) for run in (first, second)}
    clock.at(minutes=1, seconds=30)
    assert lifecycle.finish(first.pk, first.token, nonces[first.pk], Outcome(Status.SUCCEEDED))
    clock.tick(minutes=2)
    assert clock.reported == ["alert.slow nightly"]
    alert = Alert.objects.get()
    assert (alert.job, alert.run_id) == (job, parent.pk)
    expected = "It succeeded on 1 of 3 hosts. The others: web2: running, web3: queued."
    assert alert.text == f"Run {parent.token}, started 2026-03-02 00:01:00, takes longer than 1 min. {expected}"
    assert lifecycle.finish(second.pk, second.token, nonces[second.pk], Outcome(Status.FAILED))
    assert clock.reported == ["alert.slow nightly"], "the end of a child says nothing"
    nonce = started(third, third.required_host)
    assert lifecycle.finish(third.pk, third.token, nonce, Outcome(Status.SUCCEEDED))
    assert clock.reported == ["alert.slow nightly", "alert.failing nightly", "alert.recovered nightly"]


def test_a_slow_run_on_every_host_that_has_ended_before_a_tick_names_the_slow_hosts(clock: AlertClock) -> None:
    clock.job(hostname=EVERY_HOST, alert_run_seconds=60)
    clock.at(minutes=1)
    for name in ("web1", "web2", "web3"):
        hosts.record_heartbeat(["default"], name=name)
    parent, *children = clock.tick(minutes=1).claimed
    nonces = {run.pk: started(run, run.required_host) for run in children}
    for run, seconds in zip(children, (30, 90, 120), strict=True):
        clock.at(minutes=1, seconds=seconds)
        assert lifecycle.finish(run.pk, run.token, nonces[run.pk], Outcome(Status.SUCCEEDED))
    assert clock.reported == ["alert.slow nightly", "alert.recovered nightly"]
    started_at = f"Run {parent.token}, started 2026-03-02 00:01:00, takes longer than 1 min."
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


def test_missed_times_are_reported_until_a_success(clock: AlertClock) -> None:
    clock.job(cron="*/10 * * * *", misfire_grace_seconds=60)
    clock.tick(minutes=25)
    assert clock.reported == ["alert.missed nightly"]
    clock.tick(minutes=45)
    assert clock.reported == ["alert.missed nightly"]
    (run,) = clock.tick(minutes=50).claimed
    finish(run)
    assert clock.reported == ["alert.missed nightly", "alert.recovered nightly"]


def test_a_hold_is_reported_until_it_is_lifted(clock: AlertClock) -> None:
    job = clock.job(hold_on_failure=True, alert_failures=0)
    fail(clock, 1)
    assert clock.reported == ["alert.held nightly"]
    requests.resume_job(job, "anna")
    assert clock.reported == ["alert.held nightly", "alert.recovered nightly"]


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
    assert "No run for 2026-03-02 02:00:00 had succeeded by 2026-03-02 05:00:00" in Alert.objects.get().text
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
        TickRecord("cronserver", 5.0).passed(now, 0.1, 0)


def test_nothing_is_late_at_once_after_a_pause_by_the_settings(clock: AlertClock) -> None:
    clock.job(alert_start_seconds=100)
    clock.tick(seconds=1)
    for hours in (1, 2):
        paused_passes(clock, hours=hours)
    assert clock.reported == []
    (run,) = clock.tick(hours=2, seconds=1).claimed
    assert not alert_watch.changed()[0].exists(), "the end of the pause is noticed once"
    clock.tick(hours=2, seconds=100)
    assert clock.reported == []
    clock.tick(hours=2, seconds=102)
    assert clock.reported == ["alert.late nightly"], "it has not started since"
    finish(run)


def test_a_paused_process_beside_others_changes_nothing(clock: AlertClock) -> None:
    """Otherwise each of its passes would put off the lateness of all jobs."""
    clock.job(alert_start_seconds=100)
    (run,) = clock.tick(minutes=1).claimed
    TickRecord("beat", 5.0).passed(clock.at(minutes=1), 0.1, 1)
    paused_passes(clock, minutes=2)
    clock.tick(minutes=2, seconds=41)
    assert clock.reported == ["alert.late nightly"]
    finish(run)


def test_a_pause_ends_an_open_alert_without_a_message(clock: AlertClock) -> None:
    clock.job(alert_start_seconds=10)
    Run.objects.all().delete()
    lifecycle.look_at_alerts(clock.at(minutes=2), 10)
    assert open_alerts() == ["late"]
    pauses.pause("anna")
    clock.tick(minutes=3)
    assert open_alerts() == [] and clock.reported == ["alert.late nightly"]


def test_disabling_a_job_ends_its_alerts_without_a_message(clock: AlertClock) -> None:
    job = clock.job(alert_failures=1)
    fail(clock, 1)
    job.refresh_from_db()
    job.enabled = False
    job.save()
    clock.tick(minutes=2)
    assert clock.reported == ["alert.failing nightly"] and open_alerts() == []
    assert state_of(job).alert_at is None


def test_lateness_counts_from_the_end_of_a_hold_off(clock: AlertClock) -> None:
    clock.job(alert_start_seconds=100)
    clock.tick(seconds=1)
    clock.at(hours=1)
    lifecycle.begin_lateness_again()
    clock.tick(hours=1, seconds=1)
    assert clock.reported == []


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
        lifecycle.look_at_alerts(clock.at(seconds=161), 10)
        assert clock.reported == ["alert.late a"]
        lifecycle.look_at_alerts(clock.at(seconds=261), 10)
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
    assert not alert_watch.changed()[0].exists() and not alert_watch.changed()[1].exists()


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
    assert alert_mutes.muted_until({job.pk: job for job in Job.objects.all()}, clock.at(minutes=1)) == {}
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


def test_a_thousand_late_jobs_cost_a_constant_number_of_statements(clock: AlertClock) -> None:
    def statements(jobs: int) -> int:
        Job.objects.all().delete()
        Job.objects.bulk_create([a_job_row(n) for n in range(jobs)])
        clock.at(seconds=0)
        Job.objects.update(edited_at=START)
        for _each in range(jobs // 500 + 1):
            lifecycle.book(list(Job.objects.filter(edited_at__isnull=False).values_list("pk", flat=True)[:500]), START)
        update_statistics(Job, JobState)
        with CaptureQueriesContext(connection) as captured:
            looked_at, _reported = lifecycle.look_at_alerts(clock.at(minutes=5), 1000)
        assert looked_at == jobs and Alert.objects.filter(ended_at=None).count() == jobs
        return len(captured)

    few, many = statements(10), statements(1000)
    batches = 1 if connection.vendor == "postgresql" else 1000 // 10
    assert many <= few + (0 if connection.vendor == "postgresql" else batches)
    assert clock.calls == 2


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


def test_old_alerts_are_deleted(clock: AlertClock) -> None:
    clock.job()
    fail(clock, 1)
    fail(clock, 2, Status.SUCCEEDED)
    fail(clock, 3)
    fleet_work.delete_old_records(START + dt.timedelta(days=89))
    assert Alert.objects.count() == 2
    fleet_work.delete_old_records(START + dt.timedelta(days=91))
    assert [alert.kind for alert in Alert.objects.all()] == [AlertKind.FAILING]

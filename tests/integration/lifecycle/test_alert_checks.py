"""The checks of alerts by a tick: which jobs, how many, what they read, and what changes cause them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.eligibility import hosts
from chroniker.lifecycle import alert_mutes, alert_watch
from chroniker.models import EVERY_HOST, Alert, Blackout, Calendar, Group, Job, JobState, Run, Status, Switch
from chroniker.scheduler import events
from chroniker.scheduler.tick_record import TickRecorder
from tests.integration.lifecycle.loaded_rows import jobs_of_loaded
from tests.support.alert_clock import START, AlertClock, finish
from tests.support.factories import started, state_of

pytestmark = pytest.mark.django_db

SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)


def checked() -> list[str]:
    """The jobs whose alerts the next tick checks. Those of these tests have no other check."""
    return list(JobState.objects.exclude(alert_at=None).order_by("pk").values_list("job__name", flat=True))


def test_of_the_due_jobs_a_limited_number_is_checked_the_longest_due_first(clock: AlertClock) -> None:
    clock.job(name="without a check")
    now = clock.at(minutes=2)
    for name, since_now in (("due", -SECOND), ("due for longer", -2 * SECOND), ("later", SECOND)):
        job = clock.job(name=name, alert_start_seconds=10)
        JobState.objects.filter(pk=job.pk).update(alert_at=now + since_now)
    assert [lifecycle.update_due_alerts(now, 1) for _pass in range(3)] == [(1, True), (1, True), (0, False)]
    assert clock.reported == ["alert.late due for longer", "alert.late due"]


def test_late_requests_beyond_the_limit_are_found_by_the_next_check(clock: AlertClock) -> None:
    jobs = [clock.job(name=name, frequency="MANUAL", cron="", alert_start_seconds=100) for name in "ab"]
    clock.tick(seconds=1)
    for seconds, job in enumerate(jobs, 10):
        clock.at(seconds=seconds)
        events.trigger(job, by="a program")
    now = clock.at(seconds=200)
    assert [lifecycle.update_due_alerts(now, 1) for _pass in range(3)] == [(1, True), (1, True), (0, False)]
    assert clock.reported == ["alert.late a", "alert.late b"]


def test_the_open_alerts_of_other_jobs_are_not_read(clock: AlertClock) -> None:
    job, _other = (clock.job(name=name) for name in ("one", "two"))
    for run in clock.tick(minutes=1).claimed:
        finish(run, Status.FAILED)
    assert Alert.objects.filter(ended_at=None).count() == 2
    alert_mutes.schedule_alert_checks([job.pk])
    with jobs_of_loaded(Alert) as found:
        assert lifecycle.update_due_alerts(clock.at(minutes=2), 10) == (1, False)
    assert found == {job.pk}


def test_the_hosts_of_other_runs_are_not_read(clock: AlertClock) -> None:
    hosts.record_heartbeat(["default"], host_name="web1")
    job, _other = (clock.job(name=f"{limit}", hostname=EVERY_HOST, alert_run_seconds=limit) for limit in (60, 3600))
    for run in clock.tick(minutes=1).claimed:
        if run.parent_id is not None:
            started(run, "web1")
    with jobs_of_loaded(Run) as found:
        lifecycle.update_due_alerts(clock.at(minutes=3), 10)
    assert clock.reported == ["alert.slow 60"] and found == {job.pk}


def test_the_calendars_of_all_checked_jobs_are_read_by_one_statement(clock: AlertClock) -> None:
    def statements(jobs: int) -> int:
        for number in range(jobs):
            calendar = Calendar.objects.create(name=f"calendar {number} of {jobs}")
            clock.job(name=f"job {number} of {jobs}", calendar=calendar)
        JobState.objects.update(alert_at=START)
        with CaptureQueriesContext(connection) as captured:
            lifecycle.update_due_alerts(START + SECOND, 100)
        return len(captured)

    assert statements(1) == statements(8)


def late_after_one_oclock(clock: AlertClock, blackout_ends: dt.timedelta) -> Job:
    """Its only scheduled time of the day is 01:00; a blackout begins half an hour before."""
    calendar = Calendar.objects.create(name="move")
    begin, end = START + dt.timedelta(minutes=30), START + blackout_ends
    Blackout.objects.create(calendar=calendar, name="move", starts_at=begin, ends_at=end)
    job = clock.job(cron="0 1 * * *", calendar=calendar, alert_start_seconds=100)
    clock.tick(seconds=1)
    return job


@pytest.mark.parametrize(("minutes", "expected"), [(90, []), (45, ["alert.late nightly"])])
def test_only_a_blackout_at_the_scheduled_time_excuses_lateness(
    clock: AlertClock, minutes: int, expected: list[str]
) -> None:
    late_after_one_oclock(clock, minutes * MINUTE)
    lifecycle.update_due_alerts(clock.at(hours=1, seconds=100), 10)
    assert clock.reported == expected


def test_a_schedule_with_an_error_is_late_although_its_blackouts_cannot_be_compared(clock: AlertClock) -> None:
    job = late_after_one_oclock(clock, 90 * MINUTE)
    Job.objects.filter(pk=job.pk).update(cron="nonsense")
    lifecycle.update_due_alerts(clock.at(hours=1, seconds=100), 10)
    assert clock.reported == ["alert.late nightly"]


def test_an_edit_of_a_group_does_not_put_off_the_lateness_of_other_jobs(clock: AlertClock) -> None:
    group = Group.objects.create(name="night")
    clock.job(alert_start_seconds=100)
    assert len(clock.tick(minutes=1).claimed) == 1
    clock.at(seconds=100)
    group.save()
    clock.tick(seconds=101)
    clock.tick(seconds=161)
    assert clock.reported == ["alert.late nightly"]


def test_a_change_lets_the_enabled_jobs_of_its_group_be_checked_or_all_enabled_jobs(clock: AlertClock) -> None:
    night, day = (Group.objects.create(name=name) for name in ("night", "day"))
    for pk, name, group in ((1, "of night", night), (2, "disabled", night), (3, "of day", day), (4, "alone", None)):
        clock.job(pk=pk, name=name, group=group, enabled=name != "disabled")
    clock.tick(seconds=1)
    assert checked() == []
    night.save()
    alert_watch.schedule_alert_checks_after_changes()
    assert checked() == ["of night"]
    JobState.objects.update(alert_at=None)
    lifecycle.set_lateness_start_to_now()
    alert_watch.schedule_alert_checks_after_changes()
    assert checked() == ["of night", "of day", "alone"]


def test_an_edit_of_a_group_is_noticed_after_several_edits_of_another_one(clock: AlertClock) -> None:
    night, day = (Group.objects.create(name=name) for name in ("night", "day"))
    for group in (night, day):
        clock.job(name=f"of {group}", group=group)
    for group in (night, night, day):
        JobState.objects.update(alert_at=None)
        group.save()
        alert_watch.schedule_alert_checks_after_changes()
        assert checked() == [f"of {group}"]


def test_after_a_time_in_which_nothing_could_start_the_next_tick_ends_what_was_late(clock: AlertClock) -> None:
    clock.job(alert_start_seconds=100)
    clock.tick(minutes=1)
    clock.tick(seconds=160)
    assert clock.reported == ["alert.late nightly"]
    clock.at(seconds=170)
    lifecycle.set_lateness_start_to_now()
    clock.tick(seconds=171)
    assert clock.reported == ["alert.late nightly", "alert.recovered nightly"]


def test_a_pause_by_the_settings_begins_when_no_other_process_ticks_any_more(clock: AlertClock) -> None:
    clock.tick(seconds=1)
    TickRecorder("beat", 5.0).record_pass(clock.at(minutes=1), 0.1, 0)
    with override_settings(CHRONIKER_PAUSED=True):
        for hours in (1, 2):
            TickRecorder("cronserver", 5.0).record_pass(clock.at(hours=hours), 0.1, 0)
            assert Switch.objects.get().paused_by_settings_at == START + dt.timedelta(hours=1)


def test_the_order_of_the_alert_settings_is_no_change_of_them() -> None:
    found = []
    for names in (("alert_failures", "alert_start_seconds"), ("alert_start_seconds", "alert_failures")):
        with override_settings(CHRONIKER_ALERTS=dict.fromkeys(names, 3)):
            found.append(alert_watch.hash_alert_settings())
    assert found[0] == found[1] != ""


def test_a_check_of_an_idle_job_plans_no_other(clock: AlertClock) -> None:
    job = clock.job()
    JobState.objects.filter(pk=job.pk).update(alert_at=START)
    assert lifecycle.update_due_alerts(clock.at(seconds=1), 10) == (1, False)
    assert state_of(job).alert_at is None

"""The metrics: their values."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families as parse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import pauses
from chroniker.insights.metrics import scrape
from chroniker.insights.metrics.families import METRIC_FAMILIES
from chroniker.models import (
    Activation,
    Alarm,
    Alert,
    AlertKind,
    Backfill,
    EventKind,
    Group,
    Host,
    JobState,
    Outbox,
    Run,
    RunEvent,
    Status,
    Ticker,
)
from chroniker.scheduler.manual_runs import run_now
from tests.integration.insights.scraped_metrics import NEVER, by_name, ended, metrics
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started
from tests.support.manage import Manage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy", "read_again"), pytest.mark.every_database]


def test_a_job_s_runs_are_counted_by_outcome() -> None:
    job = a_booked_job(name="report", cron=NEVER)
    ended(job, seconds=30)
    ended(job, Status.FAILED, seconds=10)
    ended(job, Status.FAILED, seconds=10)
    lifecycle.add_closed_runs_to_counters()
    found = metrics()
    assert found["job_runs_total"]["report", "succeeded"] == found["runs_total"]["succeeded",] == 1
    assert found["job_runs_total"]["report", "failed"] == found["runs_total"]["failed",] == 2
    assert found["job_runs_total"]["report", "lost"] == found["runs_total"]["lost",] == 0
    assert int(found["job_run_seconds_total"]["report",]) == int(found["run_seconds_total"][()]) == 50
    state = JobState.objects.get(pk=job.pk)
    assert state.last_success_at is not None and state.last_finished_at is not None and state.next_run is not None
    assert int(found["job_last_run_seconds"]["report",]) == 10
    assert int(found["job_expected_run_seconds"]["report",]) == 30
    assert found["job_last_success_timestamp_seconds"]["report",] == pytest.approx(state.last_success_at.timestamp())
    assert found["job_last_end_timestamp_seconds"]["report",] == pytest.approx(state.last_finished_at.timestamp())
    assert found["job_next_run_timestamp_seconds"]["report",] == state.next_run.timestamp()
    assert found["job_failures_in_a_row"]["report",] == 2
    assert found["job_last_run_succeeded"]["report",] == 0
    assert found["jobs"] == {("ok",): 0, ("failing",): 1, ("held",): 0, ("disabled",): 0, ("schedule_error",): 0}


def test_counters_do_not_fall_when_runs_or_the_job_are_deleted() -> None:
    job = a_booked_job(name="report", cron=NEVER)
    for _each in range(3):
        ended(job, seconds=5)
    lifecycle.add_closed_runs_to_counters()
    before = metrics()
    call_command("cron_clean", "days", "0", verbosity=0)
    after = metrics()
    assert Run.objects.count() == 1
    counters = [family.name for family in METRIC_FAMILIES if family.kind == "counter"]
    assert {name: after[name] for name in counters} == {name: before[name] for name in counters}
    job.delete()
    after = metrics()
    totals = [name for name in counters if not name.startswith("job_")]
    assert {name: after[name] for name in totals} == {name: before[name] for name in totals}
    assert before["runs_total"]["succeeded",] == 3
    assert "job_runs_total" not in after


@pytest.mark.django_db(transaction=True)
def test_each_process_gives_the_same_answer(manage: Manage) -> None:
    """Also one that ran nothing: all counts are read from the database."""
    job = a_booked_job(name="report", cron=NEVER)
    ended(job, seconds=30)
    ended(job, Status.FAILED)
    lifecycle.add_closed_runs_to_counters()
    own, other = metrics(), by_name(parse(manage("metrics").stdout))
    counters = [family.name for family in METRIC_FAMILIES if family.kind == "counter"]
    assert own["job_runs_total"]["report", "succeeded"] == own["job_runs_total"]["report", "failed"] == 1
    assert {name: other[name] for name in counters} == {name: own[name] for name in counters}


def test_a_job_is_late_only_while_a_tick_would_claim_it_or_its_run_is_queued() -> None:
    _late, behind, queued = (a_due_job(name=name, minutes=10) for name in ("late", "behind", "queued"))
    a_due_job(name="paused", minutes=10, group=Group.objects.create(name="g", paused_at=database_now()))
    waiting = a_due_job(name="waiting", minutes=10)
    a_dependency(waiting, a_booked_job(name="first", cron=NEVER), wait_for_success=True)
    started(run_now(behind, requested_by="a test"))
    run = run_now(queued, requested_by="a test")
    Run.objects.filter(pk=run.pk).update(claimed_at=database_now() - dt.timedelta(minutes=5))
    found = metrics()
    lateness = {name: seconds // 60 for (name,), seconds in found["job_lateness_seconds"].items()}
    assert lateness.pop("late") >= 9
    assert lateness == {"behind": 0, "queued": 5, "paused": 0, "waiting": 0, "first": 0}
    assert found["due_jobs"][()] == 1 and found["due_oldest_seconds"][()] >= 540
    assert found["job_running"]["behind",] == 1 and found["job_running"]["queued",] == 0
    assert found["runs_open"]["default", "queued"] == found["runs_open"]["default", "running"] == 1
    assert found["queued_oldest_seconds"]["default",] // 60 == 5
    with override_settings(CHRONIKER_PAUSED=True):
        found = metrics()
    assert found["due_jobs"][()] == 0 and found["paused"] == {("all",): 1, ("group",): 1}


def test_hosts_and_ticks_of_the_last_day_are_there() -> None:
    now = database_now()
    for name, hours in (("new", 1), ("old", 25)):
        Host.objects.create(name=name, last_seen=now - dt.timedelta(hours=hours), clock_skew_seconds=-0.25)
        values = {"version": "2", "pid": 1, "period": 5, "pass_seconds": 0.125}
        Ticker.objects.create(host=name, kind="beat", last_at=now - dt.timedelta(hours=hours), **values)
    found = metrics()
    assert found["host_clock_skew_seconds"] == {("new",): -0.25}
    assert set(found["host_seen_timestamp_seconds"]) == {("new",)}
    assert found["tick_pass_seconds"] == {("new", "beat"): 0.125}
    assert found["tick_timestamp_seconds"]["new", "beat"] == pytest.approx((now - dt.timedelta(hours=1)).timestamp())


def test_messages_alerts_events_and_pauses_are_counted_by_kind() -> None:
    found = metrics()
    assert found["outbox_pending"] == {("mail",): 0, ("webhook",): 0, ("callback",): 0, ("channel",): 0}
    assert found["alerts_open"] == {(kind,): 0 for kind in ("tick", "queue", *AlertKind.values)}
    assert found["activations_waiting"][()] == 0 and "backfill_remaining" not in found
    assert found["paused"] == {("all",): 0, ("group",): 0}
    now, run = database_now(), ended(a_booked_job(cron=NEVER))
    Outbox.objects.create(channel="address:a@example.com", send_at=now - dt.timedelta(minutes=7))
    Outbox.objects.create(channel="mail:1", send_at=now)
    Outbox.objects.create(channel="webhook:h:1", error="refused")
    Outbox.objects.create(channel="webhook:h:2", sent_at=now)
    Alarm.objects.create(subject="queue:default:slow", raised_at=now)
    Alarm.objects.create(subject="tick", ended_at=now)
    Alert.objects.create(scope="job:1", job=run.job, kind=AlertKind.LATE, key="1", raised_at=now)
    Alert.objects.create(scope="job:1", job=run.job, kind=AlertKind.SLOW, key="1", raised_at=now, ended_at=now)
    Activation.objects.create(target=run.job, instant=now, made_at=now)
    Activation.objects.create(target=run.job, instant=now, made_at=now, ended_at=now)
    backfill = {"job": run.job, "first": now, "last": now, "spec": {}, "created_at": now, "planned": 7}
    Backfill.objects.create(**backfill, made=2)
    Backfill.objects.create(**backfill, made=3, finished_at=now)
    for hours in (1, 2, 30):
        RunEvent.objects.create(run=run, at=now - dt.timedelta(hours=hours), kind=EventKind.LATE_REPORT)
    pauses.pause("a test")
    found = metrics()
    assert found["outbox_pending"] == {("mail",): 2, ("webhook",): 0, ("callback",): 0, ("channel",): 0}
    assert round(found["outbox_oldest_seconds"]["mail",] / 60) == 7
    assert found["outbox_given_up"] == {("mail",): 0, ("webhook",): 1, ("callback",): 0, ("channel",): 0}
    raised = {kind for (kind,), number in found["alerts_open"].items() if number}
    assert raised == {"queue", "late"} and sum(found["alerts_open"].values()) == 2
    assert found["activations_waiting"][()] == 1
    assert found["backfill_remaining"] == {(run.job.name,): 5}
    assert found["events_day"]["late_report",] == 2 and found["events_day"]["overlap",] == 0
    assert found["paused"] == {("all",): 1, ("group",): 0}


@override_settings(CHRONIKER_METRICS_JOBS=2)
def test_only_the_first_jobs_have_values_of_their_own_enabled_ones_first() -> None:
    a_booked_job(name="off", cron=NEVER, enabled=False)
    for name in ("a", "b", "c"):
        a_booked_job(name=name, cron=NEVER)
    found = metrics()
    assert found["job_enabled"] == {("a",): 1, ("b",): 1}
    assert found["metrics_jobs_left_out"][()] == 2
    assert sum(found["jobs"].values()) == 4
    with override_settings(CHRONIKER_METRICS_JOBS=0):
        assert metrics()["metrics_jobs_left_out"][()] == 4


def test_the_number_of_statements_does_not_depend_on_the_number_of_jobs() -> None:
    numbers = []
    for count in (1, 30):
        for _each in range(count):
            run_now(a_booked_job(cron=NEVER), requested_by="a test")
            a_due_job(group=Group.objects.create(name=f"g {Group.objects.count()}", limit=5))
        scrape.clear_cached_metrics()
        with CaptureQueriesContext(connection) as queries:
            scrape.metrics_text()
        numbers.append(len([each for each in queries if "SAVEPOINT" not in each["sql"]]))
    assert numbers[0] == numbers[1] <= 12

"""The health of the scheduler: each cell says good only for what was read and is good."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import pauses
from chroniker.insights import health_facts
from chroniker.insights.health import Health, fetch_health
from chroniker.models import Group, Host, HostService, Outbox, Run, Ticker
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_due_job, started

pytestmark = pytest.mark.django_db

SECOND, MINUTE, HOUR = dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(hours=1)
NEVER = "0 0 1 1 *"


def now_healthy(now: dt.datetime | None = None) -> Health:
    health_facts.clear_cached_health_facts()
    return fetch_health(now or database_now())


def a_ticker(age: dt.timedelta = SECOND, **fields: Any) -> Ticker:
    values = {"host": "h1", "kind": "beat", "version": "2", "pid": 1, "period": 5, "pass_seconds": 0.1, **fields}
    return Ticker.objects.create(last_at=database_now() - age, **values)


def a_worker(age: dt.timedelta = SECOND, *, host: str = "h1", **fields: Any) -> HostService:
    seen = database_now() - age
    found, _created = Host.objects.get_or_create(name=host, defaults={"last_seen": seen, "clock_skew_seconds": 0.1})
    values = {"executor": "default", "worker": f"celery@{host}", "queues": [], "slots": 4, "busy": 1, **fields}
    return HostService.objects.create(host=found, last_seen=seen, **values)


def a_queued_run(age: dt.timedelta = SECOND, **fields: Any) -> Run:
    run = run_now(a_booked_job(cron=NEVER), requested_by="a test")
    Run.objects.filter(pk=run.pk).update(claimed_at=database_now() - age, **fields)
    return run


def test_a_healthy_scheduler_is_good_in_every_cell() -> None:
    a_ticker()
    a_worker()
    found = now_healthy()
    assert found.level == "good"
    assert found.workers.detail == "1 of 4 slots busy"


def test_an_empty_project_is_not_good() -> None:
    found = now_healthy()
    assert (found.tick.level, found.workers.level, found.clock.level) == ("bad", "bad", "unknown")
    assert (found.backlog.level, found.mails.level) == ("good", "good")


@pytest.mark.parametrize(("age", "level"), [(18, "good"), (22, "warn"), (26, "bad"), (3600, "bad")])
def test_a_tick_is_late_after_two_periods_and_dead_after_three(age: int, level: str) -> None:
    """The row may be ten seconds old while all is well."""
    a_ticker(age * SECOND)
    found = now_healthy().tick
    assert found.level == level
    assert (found.since is None) == (level == "good")


def test_one_process_that_ticks_is_enough() -> None:
    a_ticker(3 * MINUTE)
    a_ticker(30 * SECOND, kind="cron", period=60)
    assert now_healthy().tick.level == "good"


def test_a_tick_of_draining_hosts_alone_is_not_good() -> None:
    for name in ("h1", "h2"):
        a_ticker(host=name)
        a_worker(host=name)
    a_ticker(HOUR, host="stopped")
    since = database_now() - MINUTE
    Host.objects.filter(name="h1").update(draining_since=since, draining_by="a test")
    assert now_healthy().tick.level == "good"
    Host.objects.filter(name="h2").update(draining_since=since, draining_by="a test")
    found = now_healthy().tick
    assert (found.level, found.headline, found.since) == ("warn", "draining", since)
    assert "it claims and starts no runs" in found.detail


def test_silent_workers_are_named() -> None:
    a_worker(10 * MINUTE, host="gone")
    found = now_healthy().workers
    assert found.level == "bad"
    assert "celery@gone" in found.detail
    a_worker()
    assert now_healthy().workers.level == "warn"


def test_a_queue_without_a_worker_is_named() -> None:
    a_worker(queues=["fast"])
    a_queued_run(queue="gpu", executor="default")
    found = now_healthy().backlog
    assert (found.level, found.headline) == ("bad", "no worker")
    assert "gpu" in found.detail
    a_worker(host="h2", queues=["gpu"])
    assert now_healthy().backlog.level == "good"


def test_a_worker_that_names_no_queues_takes_all() -> None:
    a_worker(queues=[])
    a_queued_run(queue="gpu", executor="default")
    assert now_healthy().backlog.level == "good"


def test_a_run_that_waits_for_long_is_a_warning_until_a_worker_takes_it() -> None:
    a_worker()
    run = a_queued_run(6 * MINUTE)
    found = now_healthy().backlog
    assert (found.level, found.headline) == ("warn", "1 queued")
    started(run)
    assert now_healthy().backlog.headline == "nothing waits"


def test_overdue_jobs_count_unless_a_rule_holds_them_back() -> None:
    job = a_due_job(minutes=5)
    assert now_healthy().backlog.headline == "jobs are overdue"
    group = Group.objects.create(name="g", paused_at=database_now())
    job.group = group
    job.save()
    assert now_healthy().backlog.level == "good"
    group.paused_at = None
    group.limit = 1
    group.save()
    assert now_healthy().backlog.level == "warn"
    pauses.pause("ann")
    assert now_healthy().backlog.level == "good"


def test_the_clock_of_a_live_host_that_is_off_is_a_warning() -> None:
    a_worker()
    Host.objects.update(clock_skew_seconds=-3.5)
    found = now_healthy().clock
    assert (found.level, found.headline) == ("warn", "-3.5 s off")
    Host.objects.update(suspended_until=database_now() + MINUTE, suspended_because="It jumped.")
    assert now_healthy().clock.level == "bad"


def test_late_messages_count_but_those_on_their_way_do_not() -> None:
    run, now = a_queued_run(), database_now()
    message = Outbox.objects.create(run=run, channel="mail:1", send_at=now)
    assert now_healthy().mails.level == "good"
    Outbox.objects.filter(pk=message.pk).update(attempts=2, error="refused", send_at=now + MINUTE)
    Run.objects.filter(pk=run.pk).update(finished_at=None)
    found = now_healthy().mails
    assert found.level in ("warn", "bad")
    assert (found.headline, found.detail) == ("1 late", "Not sent: refused")


def test_it_needs_five_statements_and_none_for_three_seconds() -> None:
    for number in range(3):
        a_ticker(kind=f"k{number}")
        a_worker(host=f"h{number}")
        a_queued_run(queue=f"q{number}")
        a_due_job(minutes=5)
    health_facts.clear_cached_health_facts()
    with CaptureQueriesContext(connection) as statements:
        fetch_health(database_now())
    read = [each["sql"] for each in statements if each["sql"].startswith("SELECT") and "chroniker" in each["sql"]]
    assert len(read) == 5, "\n".join(read)
    now = database_now()
    with CaptureQueriesContext(connection) as statements:
        fetch_health(now)
    assert not statements.captured_queries


def test_it_is_unknown_when_the_database_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(now: dt.datetime) -> None:
        raise DatabaseError("no answer")

    monkeypatch.setattr(health_facts, "read_health_facts", fails)
    assert now_healthy().level == "unknown"


def test_it_is_unknown_when_the_answer_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    a_ticker()
    a_worker()
    monkeypatch.setattr(health_facts, "STATEMENT_TIMEOUT_SECONDS", -1.0)
    assert now_healthy().tick.level == "unknown"


def test_a_statement_that_fails_does_not_break_the_transaction_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(now: dt.datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM chroniker_no_such_table")

    monkeypatch.setattr(health_facts, "read_health_facts", fails)
    assert now_healthy().tick.level == "unknown"
    assert Run.objects.count() == 0

"""What pages, addresses for monitoring and heartbeats say when nothing ticks or a queue has no worker."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations
from chroniker.insights import health_facts
from chroniker.insights.metrics import scrape
from chroniker.models import Alarm, FleetWork, Job, JobState, Ticker
from chroniker.outbox import heartbeat_url
from chroniker.scheduler.tick import tick
from chroniker.web import health_views
from chroniker.wording.formats import short_time
from tests.integration.scheduler.alarms import NEVER, a_run_without_worker, a_ticker
from tests.support.factories import a_booked_job, a_due_job
from tests.support.message_servers import WebServer
from tests.support.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("dummy", "nothing_is_sent")]

MINUTE = dt.timedelta(minutes=1)
OPS = ["ops@example.com"]


def an_edited_job() -> Job:
    job = a_booked_job(cron=NEVER)
    Job.objects.filter(pk=job.pk).update(edited_at=database_now())
    return job


def a_backfill_that_is_due() -> Job:
    job = a_booked_job(cron=NEVER)
    JobState.objects.filter(pk=job.pk).update(backfill_at=database_now())
    return job


@pytest.mark.parametrize(
    ("prepare", "text"),
    [
        (a_due_job, "It is due, and nothing has ticked since {}."),
        (an_edited_job, "It was edited, and nothing has ticked since {}."),
        (a_backfill_that_is_due, "Its backfill waits: nothing has ticked since {}."),
    ],
)
def test_why_not_says_that_nothing_ticks_instead_of_what_the_next_tick_does(
    prepare: Callable[[], Job], text: str
) -> None:
    ticker, job = a_ticker(4 * MINUTE), prepare()
    now = database_now()
    [found] = explanations.explanation_texts([JobState.objects.select_related("job").get(pk=job.pk)], now).values()
    assert found == text.format(short_time(ticker.last_at, now))


def test_why_not_says_that_no_worker_consumes_the_queue() -> None:
    run = a_run_without_worker(3 * MINUTE)
    state = JobState.objects.select_related("job").get(pk=run.job_id)
    [text] = explanations.explanation_texts([state], database_now()).values()
    assert text.endswith("No worker consumes the queue “slow”.")


@pytest.mark.parametrize("page", ["job/", "run/", "host/"])
def test_every_page_says_that_runs_wait_for_a_worker(admin: Client, page: str) -> None:
    a_ticker(dt.timedelta(seconds=1))
    a_run_without_worker(3 * MINUTE)
    health_facts.clear_cached_health_facts()
    found = admin.get(f"/admin/chroniker/{page}").content.decode()
    assert "Runs wait for a worker." in found
    assert "No worker consumes the queue “slow”; 1 run waits." in found


def scheduler_status(client: Client) -> tuple[int, dict[str, Any]]:
    health_facts.clear_cached_health_facts()
    answer = client.get("/chroniker/healthz/scheduler")
    return answer.status_code, answer.json()


def test_the_address_for_monitoring_fails_while_nothing_ticks(client: Client) -> None:
    assert scheduler_status(client) == (503, {"status": "failing", "checks": {"tick": "never"}})
    ticker = a_ticker(MINUTE)
    assert scheduler_status(client) == (200, {"status": "ok"})
    Ticker.objects.filter(pk=ticker.pk).update(last_at=database_now() - 4 * MINUTE)
    assert scheduler_status(client) == (503, {"status": "failing", "checks": {"tick": "silent"}})


def test_the_address_for_monitoring_fails_while_a_queue_has_no_worker(client: Client) -> None:
    a_ticker(MINUTE)
    a_run_without_worker(3 * MINUTE)
    assert scheduler_status(client) == (503, {"status": "failing", "checks": {"workers": "missing"}})


def test_the_address_for_monitoring_fails_while_a_job_is_late_and_not_paused(client: Client) -> None:
    a_ticker(MINUTE)
    job = a_due_job()
    JobState.objects.filter(pk=job.pk).update(next_run=database_now() - 20 * MINUTE)
    assert scheduler_status(client) == (503, {"status": "failing", "checks": {"backlog": "late"}})
    with override_settings(CHRONIKER_PAUSED=True):
        assert scheduler_status(client) == (200, {"status": "ok"})


def test_the_address_for_monitoring_says_nothing_of_an_unusable_database(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(now: dt.datetime) -> None:
        raise OSError("could not connect to db1.internal as root")

    monkeypatch.setattr(health_facts, "read_health_facts", fail)
    assert scheduler_status(client) == (503, {"status": "failing", "checks": {"database": "failing"}})


def test_ready_needs_the_database_and_live_does_not(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/chroniker/healthz/ready").json() == {"status": "ok"}

    def fail() -> None:
        raise OSError("could not connect")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", fail)
        assert client.get("/chroniker/healthz/ready").status_code == 503
        assert client.get("/chroniker/healthz/live").json() == {"status": "ok"}
    assert client.post("/chroniker/healthz/live").status_code == 405


def test_ready_needs_all_migrations_and_looks_for_them_from_time_to_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer() -> tuple[int, dict[str, Any]]:
        found = client.get("/chroniker/healthz/ready")
        return found.status_code, found.json()

    monkeypatch.setattr(health_views._migrations, "kept", None)
    recorded = MigrationRecorder.Migration.objects.filter(app="chroniker")
    latest = max(recorded.values_list("name", flat=True))
    recorded.filter(name=latest).delete()
    missing = (503, {"status": "failing", "checks": {"migrations": "missing"}})
    try:
        assert answer() == missing
    finally:
        MigrationRecorder(connection).record_applied("chroniker", latest)
    assert answer() == missing, "as it was read last"
    monkeypatch.setattr(health_views, "MIGRATIONS_CACHE_SECONDS", -1.0)
    assert answer() == (200, {"status": "ok"})


@pytest.mark.parametrize("address", ["healthz/live", "healthz/ready", "healthz/scheduler", "metrics"])
@override_settings(CHRONIKER_METRICS_PUBLIC=True)
def test_an_address_for_programs_answers_without_a_database_where_requests_are_transactions(
    client: Client, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def fail() -> None:
        raise OSError("could not connect")

    health_facts.clear_cached_health_facts()
    scrape.clear_cached_metrics()
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
        patch.setattr(connection, "cursor", fail)
        answer = client.get(f"/chroniker/{address}")
    assert answer.status_code == (200 if address == "healthz/live" else 503)


@pytest.mark.periodic_work
def test_a_pass_requests_the_heartbeat_url_at_most_once_a_minute(web_server: WebServer) -> None:
    with override_settings(CHRONIKER_HEARTBEAT_URL=f"{web_server.url}/good"):
        for _ in range(3):
            tick()
            wait_until(lambda: not heartbeat_url.is_requesting_heartbeat_url(), what="answered")
        assert web_server.gets == ["/good"]
        FleetWork.objects.update(due_at=database_now() - MINUTE)
        tick()
        wait_until(lambda: web_server.gets == ["/good", "/good"], what="the next minute")


def test_a_failed_request_is_logged_without_the_url(caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(CHRONIKER_HEARTBEAT_URL="http://127.0.0.1:1/secret"):
        heartbeat_url.start_heartbeat_request()
        wait_until(lambda: not heartbeat_url.is_requesting_heartbeat_url(), what="answered")
    [record] = [each for each in caplog.records if each.name == "chroniker.outbox.heartbeat_url"]
    assert "(host 127.0.0.1) failed: URLError" in record.getMessage() and "secret" not in record.getMessage()


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_a_pass_of_cron_reports_a_queue_without_a_worker() -> None:
    a_run_without_worker(3 * MINUTE)
    call_command("cron", verbosity=0)
    assert Alarm.objects.filter(raised_at__isnull=False).count() == 1

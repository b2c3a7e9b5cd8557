"""A scheduler that does not tick, and a queue without a worker, are reported once, and once when it is over."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings

from chroniker import outbox
from chroniker.clock import jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations
from chroniker.insights import health_facts
from chroniker.insights.metrics import scrape
from chroniker.models import Alarm, FleetWork, Host, HostService, Job, JobState, Outbox, Run, Ticker
from chroniker.outbox import heartbeat_url
from chroniker.reasons import Code, Reason
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from chroniker.scheduler.watch import Watch
from chroniker.web import health_views
from chroniker.wording.formats import short_time
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber
from tests.support.factories import a_booked_job, a_due_job
from tests.support.message_servers import MailServer, WebServer
from tests.support.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("dummy")]

NEVER = "0 0 1 1 *"
MINUTE = dt.timedelta(minutes=1)
OPS = ["ops@example.com"]


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are sent when a test asks for it, not by a thread."""
    monkeypatch.setattr("chroniker.outbox.send_soon", lambda: None)


def a_ticker(age: dt.timedelta, **fields: Any) -> Ticker:
    values = {"host": "web1", "kind": "beat", "version": "2", "pid": 1, "period": 5, "pass_seconds": 0.1, **fields}
    return Ticker.objects.create(last_at=database_now() - age, **values)


def a_run_without_worker(age: dt.timedelta, queue: str = "slow") -> Run:
    run = run_now(a_booked_job(cron=NEVER), by="a test")
    Run.objects.filter(pk=run.pk).update(claimed_at=database_now() - age, queue=queue)
    host, _created = Host.objects.get_or_create(name="h1", defaults={"last_seen": database_now()})
    HostService.objects.update_or_create(
        host=host, executor="default", worker="w", defaults={"last_seen": database_now(), "queues": ["fast"]}
    )
    return run


def look() -> list[str]:
    """The titles of the messages that a look of a new process wrote."""
    before = set(Outbox.objects.values_list("pk", flat=True))
    Watch(waits_first=False).look()
    return [str(each.payload["title"]) for each in Outbox.objects.exclude(pk__in=before).order_by("pk")]


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_a_silent_scheduler_is_reported_once_and_its_return_once(mail_server: MailServer) -> None:
    ticker = a_ticker(4 * MINUTE)
    [title] = look()
    assert title.startswith("Nothing has ticked since ") and title.endswith(": no run starts.")
    assert look() == look() == []
    Ticker.objects.filter(pk=ticker.pk).update(last_at=database_now())
    assert look() == ["The scheduler ticks again, after 4 min."]
    assert look() == []
    assert outbox.send_due() == 2
    first, second = mail_server.mails
    assert first["To"] == second["To"] == "ops@example.com"
    text = first.get_content()
    assert "beat on the host web1, every 5 s" in text and "manage.py cronserver" in text
    assert "/admin/chroniker/host/" in text


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
@pytest.mark.parametrize(
    ("age", "fields"),
    [
        (2 * MINUTE, {}),
        (9 * MINUTE, {"kind": "cron", "period": 240}),
    ],
)
def test_a_scheduler_within_its_time_is_not_reported(age: dt.timedelta, fields: dict[str, Any]) -> None:
    a_ticker(10 * MINUTE, host="another")
    a_ticker(age, **fields)
    assert look() == []


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
@pytest.mark.parametrize(
    ("age", "fields"),
    [
        (3 * MINUTE, {}),
        (11 * MINUTE, {"kind": "cron", "period": 240}),
    ],
)
def test_a_scheduler_is_silent_after_the_timeout_or_two_and_a_half_of_its_periods(
    age: dt.timedelta, fields: dict[str, Any]
) -> None:
    a_ticker(age, **fields)
    [title] = look()
    assert title.startswith("Nothing has ticked since ")


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_a_scheduler_that_never_ticked_is_not_reported() -> None:
    assert look() == []


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_many_processes_that_look_at_once_write_one_message() -> None:
    a_ticker(4 * MINUTE)

    def look_once() -> None:
        Watch(waits_first=False).look()
        connections.close_all()

    threads = [threading.Thread(target=look_once) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Outbox.objects.count() == Alarm.objects.filter(raised_at__isnull=False).count() == 1


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_silence_counts_from_the_first_look_of_a_process_that_lives_long() -> None:
    """After an outage of the database or of everything, workers may be back before beat."""
    a_ticker(30 * MINUTE)
    watch = Watch()
    watch.look()
    assert not Outbox.objects.exists()
    watch._since = database_now() - 3 * MINUTE
    watch.look()
    assert Outbox.objects.count() == 1
    Watch().look()
    assert Outbox.objects.count() == 1, "a new process does not end the alarm"


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_silence_does_not_count_before_a_time_without_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    ticker, watch = a_ticker(MINUTE), Watch()
    watch.look()
    watch._since = database_now() - 60 * MINUTE
    Ticker.objects.filter(pk=ticker.pk).update(last_at=database_now() - 30 * MINUTE)
    monkeypatch.setattr(watch, "_looked_at", watch._looked_at - 1800)  # the machine slept
    watch.look()
    assert not Outbox.objects.exists()


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_nothing_is_reported_while_the_clock_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    a_ticker(4 * MINUTE)
    monkeypatch.setattr(jump_detection, "suspended_because", lambda: Reason.of(Code.CLOCK_AHEAD, seconds=9))
    assert look() == []


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_a_queue_without_a_worker_is_reported_once_and_its_return_once() -> None:
    a_ticker(dt.timedelta(seconds=1))
    a_run_without_worker(3 * MINUTE)
    assert look() == ["No worker consumes the queue “slow”."]
    assert look() == []
    HostService.objects.update(queues=["fast", "slow"])
    assert look() == ["The queue “slow” has a worker again, or no run waits in it."]


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_a_queue_whose_runs_have_just_begun_to_wait_is_not_reported() -> None:
    a_ticker(dt.timedelta(seconds=1))
    a_run_without_worker(MINUTE)
    assert look() == []


@override_settings(ADMINS=[("Ann", "ann@example.com")])
def test_admins_get_the_message_where_no_addresses_are_set() -> None:
    a_ticker(4 * MINUTE)
    look()
    assert [message.payload["to"] for message in Outbox.objects.all()] == ["ann@example.com"]


@override_settings(ADMINS=[])
def test_subscribers_get_the_message_where_there_are_no_admins(mail_server: MailServer) -> None:
    a_job_with_subscribers(a_subscriber("bob"))
    a_job_with_subscribers(a_subscriber("eve"), enabled=False)
    a_ticker(4 * MINUTE)
    look()
    assert outbox.send_due() == 1
    assert mail_server.mails[0]["To"] == "bob@example.com"


@override_settings(ADMINS=[])
def test_webhooks_get_the_message_if_they_want_the_event(web_server: WebServer) -> None:
    a_ticker(4 * MINUTE)
    hooks = [
        {"URL": web_server.url, "SECRET": "s"},
        {"URL": f"{web_server.url}failed", "SECRET": "s", "EVENTS": ["run.failed"]},
    ]
    with override_settings(CHRONIKER_WEBHOOKS=hooks):
        Watch(waits_first=False).look()
        assert outbox.send_due() == 1
    [post] = web_server.posts
    body = json.loads(post.body)
    assert body["type"] == "scheduler.silent"
    assert body["data"]["title"].startswith("Nothing has ticked since ")
    assert post.headers["webhook-id"] == str(Outbox.objects.get().message_id)


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_the_page_of_messages_shows_a_message_about_an_alarm(admin: Client) -> None:
    a_ticker(4 * MINUTE)
    look()
    page = admin.get("/admin/chroniker/outbox/").content.decode()
    assert "email to ops@example.com" in page and "Nothing has ticked since" in page


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
    [found] = explanations.why_not([JobState.objects.select_related("job").get(pk=job.pk)], database_now()).values()
    assert found == text.format(short_time(ticker.last_at))


def test_why_not_says_that_no_worker_consumes_the_queue() -> None:
    run = a_run_without_worker(3 * MINUTE)
    state = JobState.objects.select_related("job").get(pk=run.job_id)
    [text] = explanations.why_not([state], database_now()).values()
    assert text.endswith("No worker consumes the queue “slow”.")


@pytest.mark.parametrize("page", ["job/", "run/", "host/"])
def test_every_page_says_that_runs_wait_for_a_worker(admin: Client, page: str) -> None:
    a_ticker(dt.timedelta(seconds=1))
    a_run_without_worker(3 * MINUTE)
    health_facts.forget()
    found = admin.get(f"/admin/chroniker/{page}").content.decode()
    assert "Runs wait for a worker." in found
    assert "No worker consumes the queue “slow”; 1 run waits." in found


def scheduler_status(client: Client) -> tuple[int, dict[str, Any]]:
    health_facts.forget()
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

    monkeypatch.setattr(health_facts, "read", fail)
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

    monkeypatch.setattr(health_views, "_migrations", None)
    recorded = MigrationRecorder.Migration.objects.filter(app="chroniker")
    latest = max(recorded.values_list("name", flat=True))
    recorded.filter(name=latest).delete()
    missing = (503, {"status": "failing", "checks": {"migrations": "missing"}})
    try:
        assert answer() == missing
    finally:
        MigrationRecorder(connection).record_applied("chroniker", latest)
    assert answer() == missing, "as it was read last"
    monkeypatch.setattr(health_views, "MIGRATIONS_SECONDS", -1.0)
    assert answer() == (200, {"status": "ok"})


@pytest.mark.parametrize("address", ["healthz/live", "healthz/ready", "healthz/scheduler", "metrics"])
@override_settings(CHRONIKER_METRICS_PUBLIC=True)
def test_an_address_for_programs_answers_without_a_database_where_requests_are_transactions(
    client: Client, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def fail() -> None:
        raise OSError("could not connect")

    health_facts.forget()
    scrape.forget()
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
        patch.setattr(connection, "cursor", fail)
        answer = client.get(f"/chroniker/{address}")
    assert answer.status_code == (200 if address == "healthz/live" else 503)


def test_a_pass_requests_the_heartbeat_url_at_most_once_a_minute(web_server: WebServer) -> None:
    with override_settings(CHRONIKER_HEARTBEAT_URL=f"{web_server.url}/good"):
        for _ in range(3):
            tick()
            wait_until(lambda: not heartbeat_url.is_requesting(), what="answered")
        assert web_server.gets == ["/good"]
        FleetWork.objects.update(due_at=database_now() - MINUTE)
        tick()
        wait_until(lambda: web_server.gets == ["/good", "/good"], what="the next minute")


def test_a_failed_request_is_logged_without_the_url(caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(CHRONIKER_HEARTBEAT_URL="http://127.0.0.1:1/secret"):
        heartbeat_url.request_soon()
        wait_until(lambda: not heartbeat_url.is_requesting(), what="answered")
    [record] = [each for each in caplog.records if each.name == "chroniker.outbox.heartbeat_url"]
    assert "(host 127.0.0.1) failed: URLError" in record.getMessage() and "secret" not in record.getMessage()


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_a_pass_of_cron_reports_a_queue_without_a_worker() -> None:
    a_run_without_worker(3 * MINUTE)
    call_command("cron", verbosity=0)
    assert Alarm.objects.filter(raised_at__isnull=False).count() == 1

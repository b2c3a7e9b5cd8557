from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts
from chroniker.models import NO_QUEUE_PLACEHOLDER, Host, HostService, Run, Ticker, TickMinute
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job

FLEET = "/admin/chroniker/host/"


def a_worker(name: str, *, ago: float = 1, skew: float = 0.01, **fields: Any) -> HostService:
    seen = database_now() - dt.timedelta(seconds=ago)
    host = Host.objects.create(name=name, last_seen=seen, clock_skew_seconds=skew)
    values = {"executor": "celery", "queues": ["mail"], "slots": 4, "busy": 1, "version": "2.0.0", **fields}
    return HostService.objects.create(host=host, worker=f"celery@{name}", last_seen=seen, **values)


def a_ticker(*, ago: float = 1, period: float = 5) -> Ticker:
    last = database_now() - dt.timedelta(seconds=ago)
    return Ticker.objects.create(
        host="app-1", kind="beat", version="2.0.0", pid=7, period=period, last_at=last, pass_seconds=0.041
    )


def shown(client: Client) -> str:
    """The page, with the health as it is now."""
    health_facts.clear_cached_health_facts()
    response = client.get(FLEET)
    assert response.status_code == 200
    return response.content.decode()


def test_it_marks_silent_workers_wrong_clocks_and_older_versions(admin: Client) -> None:
    a_ticker()
    a_worker("good")
    a_worker("old", version="1.10.0")
    a_worker("bad", ago=7200, skew=-7.5)
    html = shown(admin)
    for text in ("Alive", "Silent", "-7.50 s", "+0.01 s", "1.10.0: older than the others", "1 of 4", "2 of 3 alive"):
        assert text in html, text
    assert "1 worker is silent." in html and "The clock is wrong on bad." in html
    assert admin.get(f"{FLEET}add/").status_code == 403


def test_a_host_that_was_silent_for_more_than_a_day_is_left_out(admin: Client) -> None:
    a_worker("gone", ago=90_000)
    assert "gone" not in shown(admin)


def test_a_queue_with_runs_and_no_worker_is_the_first_sentence(admin: Client) -> None:
    a_ticker()
    a_worker("good")
    run = run_now(a_booked_job(), requested_by="a test")
    Run.objects.filter(pk=run.pk).update(executor="celery", queue="gpu")
    html = shown(admin)
    assert "Queue gpu has no worker" in html and "1 run waits." in html and "No worker" in html


def test_a_worker_that_stopped_no_longer_counts_for_its_queue(admin: Client) -> None:
    a_ticker()
    a_worker("stopped", ago=200)
    run = run_now(a_booked_job(), requested_by="a test")
    Run.objects.filter(pk=run.pk).update(executor="celery", queue="mail")
    assert "Queue mail has no worker" in shown(admin)


@pytest.mark.parametrize(("ago", "is_ticking"), [(14, True), (24, True), (27, False), (360, False)])
def test_without_a_tick_for_three_periods_the_sentence_says_so(admin: Client, ago: float, is_ticking: bool) -> None:
    a_worker("good")
    a_ticker(ago=ago)
    html = shown(admin)
    assert ("Nothing ticks." in html) is not is_ticking
    assert ("by beat on app-1" in html) is not is_ticking


def test_a_worker_that_consumes_nothing_names_no_queue(admin: Client) -> None:
    """As while its host drains."""
    a_ticker()
    a_worker("app-1", queues=[NO_QUEUE_PLACEHOLDER])
    html = shown(admin)
    assert NO_QUEUE_PLACEHOLDER not in html and "celery@app-1" in html
    assert "No worker consumes a queue, and no run waits." in html


def test_an_empty_fleet_says_what_to_start(admin: Client) -> None:
    html = shown(admin)
    assert "Nothing has ticked yet." in html and "celery beat" in html and "No worker was seen" in html


def test_an_unknown_fleet_is_not_shown_as_an_empty_one(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(now: dt.datetime) -> None:
        raise OperationalError("no answer")

    a_worker("app-1")
    monkeypatch.setattr(health_facts, "read_health_facts", broken)
    html = shown(admin)
    health_facts.clear_cached_health_facts()
    assert "The state of the fleet is unknown." in html and html.count("The database did not answer in time.") == 4
    assert "No worker was seen" not in html and "No queue" not in html and "No hosts yet" not in html
    assert "0 of 0 alive" not in html and "<dt>Ticking hosts</dt><dd>0" not in html


def test_minutes_without_a_tick_have_a_frame_and_the_longest_gap_is_named(admin: Client) -> None:
    a_ticker()
    minute = database_now().replace(second=0, microsecond=0)
    for number in range(1, 30):
        if number not in (10, 11):
            gap = 125 if number == 9 else 5
            values = {"passes": 12, "longest_pass": 0.05, "longest_gap": gap, "claimed": 2}
            TickMinute.objects.create(host="app-1", minute=minute - dt.timedelta(minutes=number), **values)
    html = shown(admin)
    assert "no tick for 2 min" in html and "2 min 5 s" in html and "of the last hour; 1 gap" in html
    assert 'data-say="' in html and "the longest tick took 50 ms; runs claimed: 2" in html


def test_it_costs_the_same_statements_for_many_workers(admin: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            shown(admin)
        return len(queries)

    a_worker("first")
    run_now(a_booked_job(), requested_by="a test")
    statements()
    few = statements()
    for number in range(20):
        a_worker(f"more {number}", queues=[f"queue {number}"])
        run_now(a_booked_job(), requested_by="a test")
    assert statements() == few


def test_it_needs_the_right_to_view_hosts(db: None) -> None:
    client, user = Client(), User.objects.create_user("ada", is_staff=True)
    client.force_login(user)
    assert client.get(FLEET).status_code == 403
    user.user_permissions.set(Permission.objects.filter(codename="view_host"))
    run_now(a_booked_job(), requested_by="a test")
    html = shown(client)
    assert "/admin/chroniker/run/" not in html and "/admin/chroniker/job/" not in html


def test_the_page_of_one_host_is_the_fleet(admin: Client) -> None:
    service = a_worker("good")
    assert admin.get(f"{FLEET}{service.host_id}/change/")["Location"] == FLEET

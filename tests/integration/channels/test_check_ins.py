"""Pings and check-ins: of the start and the end of runs, never late and never in the wrong order."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from chroniker import lifecycle, outbox
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import ChannelKind, Outbox, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.channels import LOCAL, a_channel, an_alert, raised
from tests.support.ended_runs import ended, make_due, missed
from tests.support.factories import a_booked_job, started
from tests.support.message_servers import WebServer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with override_settings(**LOCAL):
        yield


def a_pinged_job(server: WebServer, kind: str = ChannelKind.PING, path: str = "/p", **fields: Any) -> Any:
    target = f"http://key@{server.url[7:]}/7" if kind == ChannelKind.SENTRY else f"{server.url}{path}"
    job = a_booked_job(name="Nightly Report")
    job.channels.add(a_channel(kind, target, **fields))
    return job


def paths(server: WebServer) -> list[str]:
    return [post.path for post in server.posts]


@pytest.mark.every_database
def test_start_and_end_of_a_run_are_pinged(web_server: WebServer) -> None:
    run = ended(a_pinged_job(web_server), Status.SUCCEEDED, exit_code=0)
    assert outbox.send_due_messages() == 2
    assert paths(web_server) == [f"/p/start?rid={run.pk}", f"/p?rid={run.pk}"]


@pytest.mark.parametrize(
    ("status", "code", "path"), [("FAILED", 3, "/p/3"), ("FAILED", 0, "/p/fail"), ("TIMED_OUT", -9, "/p/fail")]
)
def test_a_failure_pings_the_exit_status(web_server: WebServer, status: str, code: int, path: str) -> None:
    run = ended(a_pinged_job(web_server), Status(status), exit_code=code)
    make_due()
    outbox.send_due_messages()
    assert paths(web_server)[-1] == f"{path}?rid={run.pk}"


def test_a_ping_has_the_output_if_the_channel_wants_it(web_server: WebServer) -> None:
    job = a_pinged_job(web_server, path="/{slug}?create=1", send_output=True)
    run = ended(job, Status.FAILED, output="one\ntwo\n", reason="exit status 3", exit_code=3)
    outbox.send_due_messages()
    assert paths(web_server)[-1] == f"/nightly-report/3?create=1&rid={run.pk}"
    assert web_server.posts[-1].body.decode() == "exit status 3\none\ntwo"


def test_sentry_gets_check_ins_of_one_run(web_server: WebServer) -> None:
    run = ended(a_pinged_job(web_server, ChannelKind.SENTRY), Status.SUCCEEDED)
    assert outbox.send_due_messages() == 2
    assert paths(web_server) == ["/api/7/cron/nightly-report/key/"] * 2
    first, second = [json.loads(post.body) for post in web_server.posts]
    assert first == {"status": "in_progress", "check_in_id": run.pk.hex}
    assert (second["status"], second["check_in_id"]) == ("ok", run.pk.hex) and second["duration"] >= 0


def test_pings_get_no_alerts_and_leave_them_to_the_default_channels(web_server: WebServer) -> None:
    job = a_pinged_job(web_server)
    a_channel(target=f"{web_server.url}/alerts", is_default=True)
    raised(an_alert(job))
    assert outbox.send_due_messages() == 1 and paths(web_server) == ["/alerts"]


def test_a_missed_time_is_no_ping(web_server: WebServer) -> None:
    a_channel(ChannelKind.PING, f"{web_server.url}/{{slug}}", is_default=True)
    missed()
    assert not Outbox.objects.exists()


def test_a_ping_is_not_sent_when_it_is_old(web_server: WebServer) -> None:
    run = ended(a_pinged_job(web_server), Status.SUCCEEDED)
    then = database_now() - dt.timedelta(minutes=6)
    Run.objects.filter(pk=run.pk).update(started_at=then, finished_at=then)
    assert outbox.send_due_messages() == 0 and not web_server.posts
    assert {message.error for message in Outbox.objects.all()} == {
        "It was not sent, because it was more than 5 minutes old."
    }


def test_only_the_newest_run_of_a_job_is_pinged(web_server: WebServer) -> None:
    job = a_pinged_job(web_server)
    ended(job, Status.FAILED)
    run = ended(job, Status.SUCCEEDED)
    outbox.send_due_messages()
    assert paths(web_server) == [f"/p/start?rid={run.pk}", f"/p?rid={run.pk}"]


def test_a_start_is_not_pinged_after_the_end(web_server: WebServer) -> None:
    run = ended(a_pinged_job(web_server), Status.SUCCEEDED)
    start = Outbox.objects.get(event="run.started")
    Outbox.objects.filter(pk=start.pk).update(send_at=database_now() + dt.timedelta(minutes=1))  # its sender hangs
    assert outbox.send_due_messages() == 1
    outbox.send_messages_again([start.pk])
    outbox.send_due_messages()
    assert paths(web_server) == [f"/p?rid={run.pk}"]


def test_a_repeated_start_is_one_ping(web_server: WebServer) -> None:
    run = run_now(a_pinged_job(web_server), requested_by="a test")
    nonce = started(run)
    assert lifecycle.start(run.pk, run.token, nonce, host="here", pid=1) is not None
    assert Outbox.objects.count() == 1
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))
    assert Outbox.objects.count() == 2

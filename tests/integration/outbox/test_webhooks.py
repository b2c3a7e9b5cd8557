"""Webhooks of the settings: what is signed, sent and sent again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import override_settings

from chroniker import outbox
from chroniker.models import Outbox, Status
from chroniker.models.message_events import RUN_EVENTS
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.stopping import stop_run
from tests.support.ended_runs import a_job_with_subscribers, ended, lost, make_due, missed
from tests.support.factories import a_booked_job
from tests.support.message_servers import HOST, WebServer

pytestmark = pytest.mark.django_db

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


@contextmanager
def hooked(server: WebServer, **entry: Any) -> Iterator[None]:
    events = sorted(set(RUN_EVENTS.values()))  # without those of alerts
    hook = {"URL": f"{server.url}/jobs?a=1", "SECRET": SECRET, "EVENTS": events, **entry}
    with override_settings(CHRONIKER_WEBHOOKS=[hook]):
        yield


def test_a_webhook_receives_json_signed_according_to_standard_webhooks(web_server: WebServer) -> None:
    with hooked(web_server):
        run = ended(a_job_with_subscribers(name="nightly"), Status.FAILED, reason="exit status 3", exit_code=3)
        assert outbox.send_due_messages() == 1
    [post] = web_server.posts
    assert post.path == "/jobs?a=1" and post.headers["content-type"] == "application/json"
    payload = json.loads(post.body)
    assert payload["type"] == "run.failed"
    assert payload["data"]["job"] == {"id": run.job_id, "name": "nightly"}
    data = payload["data"]
    assert (data["run"], data["token"]) == (str(run.pk), run.token)
    assert (data["status"], data["reason"], data["exit_code"]) == ("FAILED", "exit status 3", 3)
    assert run.finished_at and payload["timestamp"] == payload["data"]["finished_at"] == run.finished_at.isoformat()
    assert post.headers["webhook-id"] == str(Outbox.objects.get().message_id)
    signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
    signature = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert post.headers["webhook-signature"] == f"v1,{signature}"


def test_each_end_status_has_its_webhook_event(web_server: WebServer) -> None:
    with hooked(web_server):
        for status in (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.STOPPED):
            ended(a_job_with_subscribers(), status)
        lost(a_job_with_subscribers())
        missed()
        cancelled = run_now(a_booked_job(cron="0 0 1 1 *"), requested_by="a test")
        stop_run(cancelled.pk, "a test")
        make_due()
        outbox.send_due_messages()
    payload = sorted(json.loads(post.body)["type"] for post in web_server.posts)
    assert payload == sorted(
        ["run.succeeded", "run.failed", "run.timed_out", "run.stopped", "run.lost", "run.missed", "run.stopped"]
    )


def test_a_webhook_receives_only_the_events_it_lists(web_server: WebServer) -> None:
    with hooked(web_server, EVENTS=["run.lost"]):
        ended(a_job_with_subscribers(), Status.FAILED)
        lost(a_job_with_subscribers())
        outbox.send_due_messages()
    assert [json.loads(post.body)["type"] for post in web_server.posts] == ["run.lost"]


def test_a_refused_webhook_is_retried_with_the_same_id_and_body(web_server: WebServer) -> None:
    web_server.answer = 503
    with hooked(web_server):
        ended(a_job_with_subscribers(), Status.FAILED)
        assert outbox.send_due_messages() == 0
        assert Outbox.objects.get().error == "The server answered 503 Service Unavailable."
        web_server.answer = 200
        make_due()
        assert outbox.send_due_messages() == 1
    first, second = web_server.posts
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


def test_redirects_are_not_followed(web_server: WebServer) -> None:
    web_server.answer, web_server.location = 302, f"{web_server.url}/elsewhere"
    with hooked(web_server):
        ended(a_job_with_subscribers(), Status.FAILED)
        assert outbox.send_due_messages() == 0
    assert len(web_server.posts) == 1 and not web_server.gets
    assert "302" in Outbox.objects.get().error


def test_an_unreachable_webhook_does_not_affect_a_run() -> None:
    with socket.create_server((HOST, 0)) as free:
        url = f"http://{HOST}:{free.getsockname()[1]}/"
    with override_settings(CHRONIKER_WEBHOOKS=[{"URL": url, "SECRET": SECRET, "EVENTS": ["run.failed"]}]):
        assert ended(a_job_with_subscribers(), Status.FAILED).status == Status.FAILED
        outbox.send_due_messages()
    assert "refused" in Outbox.objects.get().error


def test_messages_to_a_removed_webhook_address_are_abandoned(web_server: WebServer) -> None:
    with hooked(web_server):
        ended(a_job_with_subscribers(), Status.FAILED)
    assert outbox.send_due_messages() == 0 and not web_server.posts
    message = Outbox.objects.get()
    assert message.send_at is None and message.sent_at is None and "no longer" in message.error


@pytest.mark.parametrize("setting", ["a string", [7], [{"URL": "ftp://example.com", "SECRET": "s"}], None])
def test_a_malformed_setting_does_not_prevent_closing_a_run(setting: Any) -> None:
    with override_settings(CHRONIKER_WEBHOOKS=setting):
        assert ended(a_job_with_subscribers(), Status.FAILED).status == Status.FAILED
    assert not Outbox.objects.exists()

"""Callback, signals and webhooks: notifications to the project's code and to other systems."""

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
from django.db import transaction
from django.dispatch import Signal
from django.test import override_settings

from chroniker import lifecycle, outbox, signals
from chroniker.lifecycle import Outcome
from chroniker.models import Job, Outbox, Run, Status
from chroniker.models.message_events import RUN_EVENTS
from chroniker.reasons import Reason
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.stopping import stop
from chroniker.scheduler.tick import tick
from tests.support.ended_runs import a_job_with_subscribers, ended, lost, make_due, missed
from tests.support.factories import a_booked_job, a_due_job, started
from tests.support.message_servers import HOST, WebServer

pytestmark = pytest.mark.django_db

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
HERE = "tests.integration.outbox.test_callback_and_signals"

called: list[tuple[str, str, str]] = []
trouble: list[Exception] = []


def note_failure(job: Job, stdout: str, stderr: str) -> None:
    """The project's callback."""
    called.append((job.name, stdout, stderr))
    if trouble:
        raise trouble.pop()


@pytest.fixture(autouse=True)
def _clear_records() -> None:
    called.clear()
    trouble.clear()


@pytest.fixture
def callback() -> Iterator[None]:
    with override_settings(CHRONIKER_JOB_ERROR_CALLBACK=f"{HERE}.note_failure"):
        yield


@contextmanager
def hooked(server: WebServer, **entry: Any) -> Iterator[None]:
    events = sorted(set(RUN_EVENTS.values()))  # without those of alerts
    hook = {"URL": f"{server.url}/jobs?a=1", "SECRET": SECRET, "EVENTS": events, **entry}
    with override_settings(CHRONIKER_WEBHOOKS=[hook]):
        yield


# -- the callback ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("callback")
def test_the_callback_receives_job_stdout_and_stderr() -> None:
    ended(
        a_job_with_subscribers(name="nightly"),
        Status.FAILED,
        output="one\n",
        stderr="it broke\n",
        reason="exit status 1",
    )
    assert outbox.send_due() == 1
    assert called == [("nightly", "one\n", "it broke\n")]


@pytest.mark.usefixtures("callback")
def test_the_callback_is_called_for_each_kind_of_error_only() -> None:
    for status in (Status.SUCCEEDED, Status.STOPPED, Status.FAILED, Status.TIMED_OUT):
        ended(a_job_with_subscribers(name=status.value), status)
    lost(a_job_with_subscribers(name="LOST"))
    missed(name="MISSED")
    make_due()
    outbox.send_due()
    assert sorted(name for name, _stdout, _stderr in called) == ["FAILED", "LOST", "MISSED", "TIMED_OUT"]


@pytest.mark.usefixtures("callback")
def test_the_callback_receives_the_end_reason_of_a_run_without_output() -> None:
    lost(a_job_with_subscribers(name="nightly"))
    outbox.send_due()
    [(_name, stdout, stderr)] = called
    assert stdout == "" and stderr.startswith("lost: Lost contact with the worker.")


@pytest.mark.usefixtures("callback")
def test_the_callback_receives_the_end_of_long_output() -> None:
    ended(a_job_with_subscribers(), Status.FAILED, output="x" * 1_000_000 + "the end")
    outbox.send_due()
    [(_name, stdout, _stderr)] = called
    assert len(stdout) == 100_000 and stdout.endswith("xthe end")


@pytest.mark.usefixtures("callback")
def test_a_callback_that_raises_is_retried(caplog: pytest.LogCaptureFixture) -> None:
    trouble.append(RuntimeError("no network"))
    ended(a_job_with_subscribers(), Status.FAILED)
    assert outbox.send_due() == 0
    assert "no network" in caplog.text and Outbox.objects.get().error == "RuntimeError: no network"
    make_due()
    assert outbox.send_due() == 1 and len(called) == 2


@override_settings(CHRONIKER_JOB_ERROR_CALLBACK="shop.nowhere.at_all")
def test_a_callback_that_cannot_be_imported_does_not_affect_a_run() -> None:
    assert ended(a_job_with_subscribers(), Status.FAILED).status == Status.FAILED
    outbox.send_due()
    assert "ModuleNotFoundError" in Outbox.objects.get().error


# -- the webhook -------------------------------------------------------------------------------------------------


def test_a_webhook_receives_json_signed_according_to_standard_webhooks(web_server: WebServer) -> None:
    with hooked(web_server):
        run = ended(a_job_with_subscribers(name="nightly"), Status.FAILED, reason="exit status 3", exit_code=3)
        assert outbox.send_due() == 1
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
        cancelled = run_now(a_booked_job(cron="0 0 1 1 *"), by="a test")
        stop(cancelled.pk, "a test")
        make_due()
        outbox.send_due()
    payload = sorted(json.loads(post.body)["type"] for post in web_server.posts)
    assert payload == sorted(
        ["run.succeeded", "run.failed", "run.timed_out", "run.stopped", "run.lost", "run.missed", "run.stopped"]
    )


def test_a_webhook_receives_only_the_events_it_lists(web_server: WebServer) -> None:
    with hooked(web_server, EVENTS=["run.lost"]):
        ended(a_job_with_subscribers(), Status.FAILED)
        lost(a_job_with_subscribers())
        outbox.send_due()
    assert [json.loads(post.body)["type"] for post in web_server.posts] == ["run.lost"]


def test_a_refused_webhook_is_retried_with_the_same_id_and_body(web_server: WebServer) -> None:
    web_server.answer = 503
    with hooked(web_server):
        ended(a_job_with_subscribers(), Status.FAILED)
        assert outbox.send_due() == 0
        assert Outbox.objects.get().error == "The server answered 503 Service Unavailable."
        web_server.answer = 200
        make_due()
        assert outbox.send_due() == 1
    first, second = web_server.posts
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


def test_redirects_are_not_followed(web_server: WebServer) -> None:
    web_server.answer, web_server.location = 302, f"{web_server.url}/elsewhere"
    with hooked(web_server):
        ended(a_job_with_subscribers(), Status.FAILED)
        assert outbox.send_due() == 0
    assert len(web_server.posts) == 1 and not web_server.gets
    assert "302" in Outbox.objects.get().error


def test_an_unreachable_webhook_does_not_affect_a_run() -> None:
    with socket.create_server((HOST, 0)) as free:
        url = f"http://{HOST}:{free.getsockname()[1]}/"
    with override_settings(CHRONIKER_WEBHOOKS=[{"URL": url, "SECRET": SECRET, "EVENTS": ["run.failed"]}]):
        assert ended(a_job_with_subscribers(), Status.FAILED).status == Status.FAILED
        outbox.send_due()
    assert "refused" in Outbox.objects.get().error


def test_messages_to_a_removed_webhook_address_are_abandoned(web_server: WebServer) -> None:
    with hooked(web_server):
        ended(a_job_with_subscribers(), Status.FAILED)
    assert outbox.send_due() == 0 and not web_server.posts
    message = Outbox.objects.get()
    assert message.send_at is None and message.sent_at is None and "no longer" in message.error


@pytest.mark.parametrize("setting", ["a string", [7], [{"URL": "ftp://example.com", "SECRET": "s"}], None])
def test_a_malformed_setting_does_not_prevent_closing_a_run(setting: Any) -> None:
    with override_settings(CHRONIKER_WEBHOOKS=setting):
        assert ended(a_job_with_subscribers(), Status.FAILED).status == Status.FAILED
    assert not Outbox.objects.exists()


# -- the signals -------------------------------------------------------------------------------------------------


@contextmanager
def received(signal: Signal) -> Iterator[list[dict[str, Any]]]:
    calls: list[dict[str, Any]] = []

    def receive(sender: type, **arguments: Any) -> None:
        calls.append({name: value for name, value in arguments.items() if name != "signal"})

    signal.connect(receive)
    try:
        yield calls
    finally:
        signal.disconnect(receive)


@pytest.mark.django_db(transaction=True)
def test_signals_are_sent_for_claim_start_and_end() -> None:
    job = a_due_job()
    with (
        received(signals.run_claimed) as claimed,
        received(signals.run_started) as begun,
        received(signals.run_finished) as finished,
    ):
        [run] = tick().claimed
        nonce = started(run, host="web1")
        lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, reason=Reason(text="exit status 1")))
        lifecycle.finish(
            run.pk, run.token, nonce, Outcome(Status.FAILED, reason=Reason(text="exit status 1"))
        )  # its response was lost
    about = {"run_id": run.pk, "job_id": job.pk, "token": run.token}
    assert claimed == [{**about, "trigger": "SCHEDULE"}]
    assert begun == [{**about, "host": "web1"}]
    assert finished == [{**about, "status": "FAILED", "code": "", "reason": "exit status 1"}]


@pytest.mark.django_db(transaction=True)
def test_a_signal_is_sent_for_every_other_end() -> None:
    with received(signals.run_finished) as finished:
        lost(a_job_with_subscribers())
        cancelled = run_now(a_booked_job(cron="0 0 1 1 *"), by="a test")
        stop(cancelled.pk, "a test")
        missed()
        switched_off = a_due_job(minutes=3)
        Job.objects.filter(pk=switched_off.pk).update(enabled=False)
        tick()
    ends = [call["status"] for call in finished]
    assert ends == ["LOST", "STOPPED", "SKIPPED", "SKIPPED"]
    assert {call["run_id"] for call in finished} == set(
        Run.objects.exclude(finished_at=None).values_list("pk", flat=True)
    )


@pytest.mark.django_db(transaction=True)
def test_signals_are_sent_after_the_commit_and_not_after_a_rollback() -> None:
    class Rollback(Exception):
        pass

    job = a_booked_job(cron="0 0 1 1 *")
    with received(signals.run_claimed) as claimed:
        with pytest.raises(Rollback), transaction.atomic():
            run_now(job, by="a test")
            raise Rollback
        assert not claimed
        with transaction.atomic():
            run_now(job, by="a test")
            assert not claimed
        assert len(claimed) == 1


@pytest.mark.django_db(transaction=True)
def test_a_signal_receiver_that_raises_does_not_affect_the_run() -> None:
    def explode(sender: type, **arguments: Any) -> None:
        raise RuntimeError("boom")

    signals.run_finished.connect(explode)
    try:
        assert ended(a_job_with_subscribers(), Status.SUCCEEDED).status == Status.SUCCEEDED
    finally:
        signals.run_finished.disconnect(explode)

"""Emails and webhooks: names and reasons are in their text, never in a header or an address."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome, finish
from chroniker.models import Job, Outbox, Run, Status
from chroniker.outbox.channels import configured_webhooks
from chroniker.outbox.delivery import send_due_messages
from chroniker.outbox.kinds.standard_webhook import signature_headers
from chroniker.reasons import Reason
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started
from tests.support.message_servers import MailServer, WebServer

pytestmark = pytest.mark.django_db(transaction=True)

INJECTED = "x\r\nBcc: victim@example.com\r\n\r\nA text of their own\nX-Evil: 1"
KNOWN = {"subject", "from", "to", "date", "message-id", "content-type", "content-transfer-encoding", "mime-version"}


def a_failed_run(address: str = "she@example.com", **fields: Any) -> Run:
    job = a_booked_job(**fields)
    job.subscribers.add(User.objects.create(username=f"person {job.pk}", email=address))
    run = run_now(job, requested_by="a test")
    finish(run.pk, run.token, started(run), Outcome(Status.FAILED, exit_code=1, reason=Reason(text=INJECTED)))
    return run


@pytest.mark.parametrize(
    "subject", ["Error: {{ job.name }}", "{{ job.name }}\r\nBcc: victim@example.com", "{{ run.reason }}"]
)
def test_no_text_adds_a_header_or_an_address_to_an_email(subject: str, mail_server: MailServer, dummy: Any) -> None:
    with override_settings(CHRONIKER_EMAIL_SUBJECT_ERROR=subject):
        a_failed_run(name=INJECTED)
        send_due_messages()
    (mail,) = mail_server.mails
    assert {name.lower() for name in mail} <= KNOWN | {"auto-submitted"}
    assert mail["To"] == "she@example.com"


@pytest.mark.parametrize(
    "address", ["she@example.com\nBcc: victim@example.com", "she@example.com, victim@example.com\r\nX: 1"]
)
def test_an_address_with_a_line_break_gets_no_email_and_blocks_no_other(
    address: str, mail_server: MailServer, dummy: Any
) -> None:
    bad, _good = a_failed_run(address), a_failed_run("he@example.com")
    send_due_messages()
    assert [mail["To"] for mail in mail_server.mails] == ["he@example.com"]
    assert Outbox.objects.get(run=bad).error


def test_only_configured_addresses_are_posted_to(web_server: WebServer, dummy: Any) -> None:
    """Only the setting at the time of sending decides the address, not a row, its payload or a job."""
    hook = {"URL": f"{web_server.url}/hook", "SECRET": "a secret"}
    with override_settings(CHRONIKER_WEBHOOKS=[hook]):
        channel = configured_webhooks()[0].channel
    run = a_failed_run()
    forged = {"url": f"{web_server.url}/elsewhere", "to": f"{web_server.url}/elsewhere"}
    for name in (
        channel,
        f"webhook:{web_server.url}:0",
        "webhook:127.0.0.1:0123456789abcdef",
        f"webhook:{web_server.url}",
    ):
        Outbox.objects.create(run=run, channel=name[:100], payload=forged, send_at=database_now())
    with override_settings(CHRONIKER_WEBHOOKS=[]):
        send_due_messages()
    assert not web_server.posts and not web_server.gets


def test_a_message_for_an_unconfigured_address_is_not_sent_to_another(web_server: WebServer, dummy: Any) -> None:
    Outbox.objects.create(run=a_failed_run(), channel="webhook:elsewhere", payload={}, send_at=database_now())
    with override_settings(CHRONIKER_WEBHOOKS=[{"URL": f"{web_server.url}/hook", "SECRET": "a secret"}]):
        send_due_messages()
    assert not web_server.posts


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(code: int, web_server: WebServer, dummy: Any) -> None:
    web_server.answer, web_server.location = code, f"{web_server.url}/internal"
    with override_settings(CHRONIKER_WEBHOOKS=[{"URL": f"{web_server.url}/hook", "SECRET": "a secret"}]):
        a_failed_run()
        send_due_messages()
    assert [post.path for post in web_server.posts] == ["/hook"] and web_server.gets == []


def test_a_receiver_detects_a_forged_message(web_server: WebServer, dummy: Any) -> None:
    hook = {"URL": web_server.url, "SECRET": "a secret", "EVENTS": ["run.failed"]}
    with override_settings(CHRONIKER_WEBHOOKS=[hook]):
        a_failed_run(name=INJECTED)
        send_due_messages()
    (post,) = web_server.posts
    stamp = int(post.headers["webhook-timestamp"])
    signature = post.headers["webhook-signature"]
    assert (
        signature_headers(b"a secret", post.headers["webhook-id"], stamp, post.body)["webhook-signature"] == signature
    )
    for key, run_id, when, body in (
        (b"another", post.headers["webhook-id"], stamp, post.body),
        (b"a secret", "0", stamp, post.body),
        (b"a secret", post.headers["webhook-id"], stamp + 1, post.body),
        (b"a secret", post.headers["webhook-id"], stamp, post.body.replace(b"failed", b"succeeded")),
    ):
        assert signature_headers(key, run_id, when, body)["webhook-signature"] != signature
    assert json.loads(post.body)["data"]["job"]["name"] == INJECTED
    assert "a secret" not in str(list(Outbox.objects.values())) + str(list(Job.objects.values()))

"""The requests of each kind, as a server receives them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from chroniker import outbox
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import alarms
from chroniker.lifecycle.alert_messages import MAX_ALERTS_BEFORE_DIGEST
from chroniker.models import ChannelKind, Outbox, Status, Tag
from chroniker.outbox.channel_delivery import send_test_message
from tests.support.channels import LOCAL, a_channel, an_alert, raised, recovered
from tests.support.ended_runs import ended
from tests.support.factories import a_booked_job, a_job
from tests.support.message_servers import MailServer, WebServer

pytestmark = pytest.mark.django_db

RUNBOOK = "https://wiki.example.com/nightly"
BASE = "https://jobs.example.com"


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with override_settings(**LOCAL, CHRONIKER_BASE_URL=BASE, CHRONIKER_INSTALLATION="shop"):
        yield


def a_nightly_job(**fields: Any) -> Any:
    job = a_booked_job(name="nightly <a|b> & c", owner="data@example.com", runbook_url=RUNBOOK, **fields)
    job.tags.set(Tag.objects.get_or_create_tags(["nightly", "billing"]))
    return job


def posted(server: WebServer) -> list[Any]:
    return [json.loads(post.body) for post in server.posts]


def raise_and_end(**channel: Any) -> Any:
    """The messages about one alert, raised and ended. Returns its job."""
    a_channel(is_default=True, **channel)
    job = a_nightly_job()
    alert = an_alert(job)
    raised(alert)
    assert outbox.send_due_messages() == 1, Outbox.objects.get().error
    recovered(alert)
    assert outbox.send_due_messages() == 1
    return job


def test_a_webhook_gets_the_alert_signed(web_server: WebServer) -> None:
    job = raise_and_end(target=web_server.url, secret="s3cret")
    first, second = web_server.posts
    body = json.loads(first.body)
    assert body["type"] == "alert.failing" and json.loads(second.body)["type"] == "alert.recovered"
    assert body["data"]["alert"]["text"].startswith("It has failed 3 times in a row since ")
    assert body["data"]["job"] == {
        "id": job.pk, "name": job.name, "owner": "data@example.com", "runbook_url": RUNBOOK,
        "tags": ["billing", "nightly"],
    }  # fmt: skip
    assert body["data"]["url"] == f"{BASE}/admin/chroniker/job/{job.pk}/status/"
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    signed = f"{first.headers['webhook-id']}.{first.headers['webhook-timestamp']}.".encode() + first.body
    signature = base64.b64encode(hmac.digest(b"s3cret", signed, hashlib.sha256)).decode()
    assert first.headers["webhook-signature"] == f"v1,{signature}"


def test_a_webhook_without_a_secret_is_not_signed(web_server: WebServer) -> None:
    raise_and_end(target=web_server.url)
    assert "webhook-signature" not in web_server.posts[0].headers and web_server.posts[0].headers["webhook-id"]


def test_slack_gets_text_without_markup_of_the_name(web_server: WebServer) -> None:
    raise_and_end(kind=ChannelKind.SLACK, target=f"{web_server.url}/services/T/B/x")
    first, second = posted(web_server)
    assert set(first) == {"text"}
    lines = first["text"].splitlines()
    assert lines[0] == "nightly &lt;a|b&gt; &amp; c: failing"
    assert f"<{RUNBOOK}|Runbook>" in lines[-1] and f"<{BASE}/admin/" in lines[-1]
    assert "Owner: data@example.com" in lines and "no longer" in second["text"]


def test_teams_gets_one_adaptive_card(web_server: WebServer) -> None:
    raise_and_end(kind=ChannelKind.TEAMS, target=f"{web_server.url}/workflows/x")
    first = posted(web_server)[0]
    assert first["type"] == "message"
    [attachment] = first["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert card["type"] == "AdaptiveCard" and card["body"][0]["text"] == "nightly <a|b> & c: failing"
    assert [action["type"] for action in card["actions"]] == ["Action.OpenUrl"] * 2


def test_pagerduty_opens_and_closes_one_incident(web_server: WebServer) -> None:
    job = raise_and_end(kind=ChannelKind.PAGERDUTY, target=f"{web_server.url}/v2/enqueue", secret="R" * 32)
    first, second = posted(web_server)
    assert (first["event_action"], second["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == second["dedup_key"] == f"chroniker/shop/{job.pk}/failing"
    assert first["routing_key"] == "R" * 32
    assert first["payload"]["severity"] == "error" and first["payload"]["source"] == "shop"
    assert first["payload"]["summary"] == "nightly <a|b> & c: failing"
    assert first["links"] == [{"href": RUNBOOK, "text": "Runbook"}]


@override_settings(ADMINS=[])
def test_alarms_about_the_scheduler_open_and_close_an_incident(web_server: WebServer) -> None:
    a_channel(ChannelKind.PAGERDUTY, f"{web_server.url}/p", secret="k", is_default=True)
    a_channel(ChannelKind.SLACK, f"{web_server.url}/s", is_default=True)
    now = database_now()
    assert alarms.raise_alarm(alarms.TICK_ALARM_SUBJECT, now, alarms.AlarmText("Nothing ticks.", "Start it."), now)
    outbox.send_due_messages()
    [alarm] = alarms.read_raised_alarms().values()
    assert alarms.end_alarm(alarm, alarms.AlarmText("It ticks again.", ""), now)
    outbox.send_due_messages()
    first, second = [json.loads(each.body) for each in web_server.posts if each.path == "/p"]
    assert (first["event_action"], second["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == second["dedup_key"] == "chroniker/shop/fleet/tick"
    assert first["payload"]["severity"] == "critical"
    chat = [json.loads(each.body)["text"] for each in web_server.posts if each.path == "/s"]
    assert [text.splitlines()[0] for text in chat] == ["Nothing ticks.", "It ticks again."]


def test_own_json_is_parsed_before_its_placeholders_are_filled(web_server: WebServer) -> None:
    template = '{"a": ["{{ job }} is {{kind}}", 3], "b": {"{{ kept }}": "{{ status }}", "url": "{{ url }}"}}'
    a_channel(ChannelKind.JSON, web_server.url, template=template, is_default=True)
    job = a_job(name='x", "a": "{{ text }} \\')
    raised(an_alert(job))
    assert outbox.send_due_messages() == 1
    [body] = posted(web_server)
    assert body["a"] == ['x", "a": "{{ text }} \\ is failing', 3]
    assert body["b"]["{{ kept }}"] == "raised" and body["b"]["url"].startswith(BASE)


def test_a_digest_names_jobs_and_counts_the_others(web_server: WebServer) -> None:
    a_channel(ChannelKind.SLACK, web_server.url, is_default=True)
    raised(*[an_alert(a_job(name=f"job number {n:02}")) for n in range(25)])
    assert MAX_ALERTS_BEFORE_DIGEST < 25 and outbox.send_due_messages() == 1
    [body] = posted(web_server)
    lines = body["text"].splitlines()
    assert lines[0] == "25 alerts" and lines[1] == "job number 00: failing" and lines[21] == "and 5 more"


def test_a_mail_goes_to_addresses_users_and_the_owner(mail_server: MailServer) -> None:
    User.objects.create_user("bob", "bob@example.com")
    User.objects.create_user("gone", "gone@example.com", is_active=False)
    target = "ops@example.com, user:bob, user:gone, owner"
    raise_and_end(kind=ChannelKind.MAIL, target=target)
    first, second = mail_server.mails
    assert first["To"] == "ops@example.com, bob@example.com, data@example.com"
    assert first["Subject"] == "nightly <a|b> & c: failing" and "no longer" in second["Subject"]
    text = first.get_content()
    assert "It has failed 3 times" in text and f"Runbook: {RUNBOOK}" in text and f"{BASE}/admin/" in text


def test_a_mail_to_an_owner_without_an_address_is_given_up(mail_server: MailServer) -> None:
    a_channel(ChannelKind.MAIL, "owner", is_default=True)
    raised(an_alert(a_job(owner="the data team")))
    assert outbox.send_due_messages() == 0 and not mail_server.mails
    message = Outbox.objects.get()
    assert message.send_at is None and message.error.startswith("There is no recipient")


@pytest.mark.parametrize("with_output", [True, False])
def test_a_mail_about_a_run_has_its_output_if_the_channel_wants_it(mail_server: MailServer, with_output: bool) -> None:
    target = "ops@example.com"
    a_channel(ChannelKind.MAIL, target, is_default=True, events=["run.failed"], send_output=with_output)
    ended(a_nightly_job(), Status.FAILED, output="the last words\n", reason="exit status 3")
    assert outbox.send_due_messages() == 1
    text = mail_server.mails[0].get_content()
    assert "exit status 3" in text and ("the last words" in text) is with_output


def test_a_mail_masks_the_secrets_of_the_job(mail_server: MailServer, settings: Any) -> None:
    settings.SHOP_TOKEN = "hunter2-secret"
    a_channel(ChannelKind.MAIL, "ops@example.com", is_default=True, events=["run.failed"], send_output=True)
    ended(a_booked_job(secrets="TOKEN=setting:SHOP_TOKEN"), Status.FAILED, output="it is hunter2-secret\n")
    assert outbox.send_due_messages() == 1
    text = mail_server.mails[0].get_content()
    assert "it is ••••••" in text and "hunter2" not in text


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (ChannelKind.WEBHOOK, "/x"),
        (ChannelKind.SLACK, "/x"),
        (ChannelKind.TEAMS, "/x"),
        (ChannelKind.JSON, "/x"),
        (ChannelKind.PING, "/ping/log"),
        (ChannelKind.SENTRY, "/api/7/cron/chroniker-test/key/"),
    ],
)
def test_a_test_message_is_sent_to_each_kind(web_server: WebServer, kind: str, path: str) -> None:
    given = {ChannelKind.PING: f"{web_server.url}/ping", ChannelKind.SENTRY: f"http://key@{web_server.url[7:]}/7"}
    channel = a_channel(kind, given.get(ChannelKind(kind), f"{web_server.url}/x"), template='{"t": "{{ title }}"}')
    send_test_message(channel)
    assert [post.path for post in web_server.posts] == [path]


def test_a_test_of_pagerduty_opens_an_incident_and_closes_it(web_server: WebServer) -> None:
    send_test_message(a_channel(ChannelKind.PAGERDUTY, web_server.url, secret="k"))
    assert [body["event_action"] for body in posted(web_server)] == ["trigger", "resolve"]

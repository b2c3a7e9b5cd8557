"""Channels in the admin: list, form, masked targets, and the test."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db.models import Value
from django.test import Client, override_settings

from chroniker.admin.channels.channel_form import EVENT_LABELS_BY_GROUP
from chroniker.models import Channel, ChannelKind, FailingChannel, Group, Job
from chroniker.models.message_events import ALL_EVENTS
from tests.support.channels import LOCAL, a_channel
from tests.support.factories import a_job
from tests.support.message_servers import WebServer

pytestmark = pytest.mark.django_db

LIST = "/admin/chroniker/channel/"
SECRET_URL = "https://hooks.slack.com/services/T0/B0/hunter2"


def form(**fields: Any) -> dict[str, Any]:
    values = {"name": "ops", "kind": "SLACK", "target": SECRET_URL, "secret": "", "template": "", "events": []}
    return {**values, **fields}


def text_of(client: Client, url: str) -> str:
    return str(client.get(url).content.decode())


def errors(client: Client, **fields: Any) -> str:
    answer = client.post(f"{LIST}add/", form(**fields))
    assert answer.status_code == 200 and not Channel.objects.exists()
    return " ".join(str(text) for each in answer.context["adminform"].form.errors.values() for text in each)


def a_client(*permissions: str) -> Client:
    user = User.objects.create_user("someone", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_a_channel_is_added_and_its_target_is_never_shown(admin: Client) -> None:
    assert admin.post(f"{LIST}add/", form(events=["alert.late", "run.failed"])).status_code == 302
    channel = Channel.objects.get()
    assert channel.target == SECRET_URL and channel.events == ["alert.late", "run.failed"] and channel.is_about_runs
    pages = [LIST, f"{LIST}{channel.pk}/change/", f"{LIST}{channel.pk}/history/", f"{LIST}{channel.pk}/delete/"]
    for page in pages:
        assert "hunter2" not in text_of(admin, page)
    assert "https://hooks.slack.com/…" in text_of(admin, LIST)


def test_a_masked_target_that_is_sent_back_keeps_its_value(admin: Client) -> None:
    channel = a_channel(ChannelKind.WEBHOOK, SECRET_URL, secret="s3cret", name="ops")
    data = form(kind="WEBHOOK", target="https://hooks.slack.com/…", secret="••••••", name="operators")
    assert admin.post(f"{LIST}{channel.pk}/change/", data).status_code == 302
    channel.refresh_from_db()
    assert (channel.name, channel.target, channel.secret) == ("operators", SECRET_URL, "s3cret")


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ({"kind": ChannelKind.PAGERDUTY, "target": ""}, {"target": "https://example.com/"}),
        ({"kind": ChannelKind.WEBHOOK, "target": "https://example.com/"}, {"target": "https://example.com/…"}),
    ],
)
def test_a_masked_integration_key_is_not_sent_to_another_address(
    admin: Client, before: dict[str, Any], change: dict[str, Any]
) -> None:
    channel = a_channel(**before, secret="s3cret", name="ops")
    data = form(kind="PAGERDUTY", secret="••••••", **change)
    answer = admin.post(f"{LIST}{channel.pk}/change/", data)
    assert "Enter the integration key again" in answer.content.decode()
    data = {**data, "secret": "new key"}
    assert admin.post(f"{LIST}{channel.pk}/change/", data).status_code == 302
    channel.refresh_from_db()
    assert channel.secret == "new key"


def test_the_history_of_a_channel_has_no_target_and_no_secret(admin: Client) -> None:
    channel = a_channel(ChannelKind.WEBHOOK, SECRET_URL, secret="s3cret-1", name="ops")
    data = form(kind="WEBHOOK", target="https://example.com/hunter3", secret="s3cret-2")
    assert admin.post(f"{LIST}{channel.pk}/change/", data).status_code == 302
    channel.refresh_from_db()
    assert (channel.target, channel.secret) == ("https://example.com/hunter3", "s3cret-2")
    [entry] = LogEntry.objects.all()
    assert "example.com" in entry.change_message
    assert "hunter" not in entry.change_message and "s3cret" not in entry.change_message


def test_who_may_only_view_channels_sees_no_target(admin: Client) -> None:
    channel = a_channel(ChannelKind.WEBHOOK, SECRET_URL, secret="s3cret", name="ops")
    page = text_of(a_client("view_channel"), f"{LIST}{channel.pk}/change/")
    assert "https://hooks.slack.com/…" in page and "hunter2" not in page and "s3cret" not in page
    assert "Send a test" not in page


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"target": ""}, "The target is missing"),
        ({"target": "hooks.slack.com/x"}, "Write an address that begins with https://"),
        ({"target": "https://user:pass@example.com/"}, "without user name or password"),
        ({"target": "http://169.254.169.254/latest"}, "in a private network"),
        ({"target": "http://[::1]/"}, "in a private network"),
        ({"target": "env:DATABASE_URL"}, "must begin with CHRONIKER_CHANNEL_"),
        ({"target": "setting:SECRET_KEY"}, "must begin with CHRONIKER_CHANNEL_"),
        ({"kind": "MAIL", "target": "nobody"}, "“nobody” is not an e-mail address"),
        ({"kind": "MAIL", "target": ", ,"}, "Write at least one e-mail address, user:NAME or owner."),
        ({"name": "a\x07b"}, "The name must be one line of text without control characters."),
        ({"kind": "PAGERDUTY", "target": ""}, "The integration key is missing"),
        ({"kind": "WEBHOOK", "secret": "whsec_not base64"}, "The key after whsec_ must be written in base64"),
        ({"secret": "x"}, "Only webhooks and PagerDuty have a secret"),
        ({"kind": "JSON"}, "A template is missing"),
        ({"kind": "JSON", "template": "{"}, "This is not valid JSON"),
        ({"kind": "JSON", "template": '"{{ text }}"'}, "The template must be a JSON object or array"),
        (
            {"kind": "JSON", "template": '{"a": "{{ jbo }}"}'},
            "{{ jbo }} is not a placeholder; the placeholders are: event",
        ),
        ({"kind": "JSON", "template": "[" * 30 + "]" * 30}, "more than 20 levels deep"),
        ({"kind": "JSON", "template": "[" * 5000}, "This is not valid JSON"),
        ({"template": "{}"}, "Only a channel of the kind “JSON of your own” has a template"),
        ({"kind": "PING", "target": "https://hc-ping.com/x", "events": ["run.failed"]}, "choose no events"),
        ({"kind": "PING", "target": "https://hc-ping.com/x", "is_default": "on"}, "write {slug} in its address"),
        ({"kind": "SENTRY", "target": "https://sentry.io/"}, "Write the DSN of the project in Sentry"),
        ({"send_output": "on"}, "Only emails and pings can contain output"),
    ],
)
def test_the_message_about_bad_input_names_what_is_right(admin: Client, fields: dict[str, Any], expected: str) -> None:
    assert expected in errors(admin, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "MAIL", "target": "ops@example.com, user:bob, owner", "send_output": "on"},
        {"kind": "PAGERDUTY", "target": "", "secret": "setting:CHRONIKER_CHANNEL_PAGERDUTY"},
        {"target": "env:CHRONIKER_CHANNEL_OPS"},
        {"kind": "WEBHOOK", "secret": ""},
        {"kind": "WEBHOOK", "secret": "env:CHRONIKER_CHANNEL_KEY"},
        {"kind": "PING", "target": "https://hc-ping.com/key/{slug}?create=1", "is_default": "on"},
        {"kind": "SENTRY", "target": "https://0123@o1.ingest.sentry.io/42"},
        {"kind": "JSON", "template": '{"text": "{{ title }}: {{text}}", "n": 1}'},
    ],
)
def test_each_kind_is_accepted_as_its_help_says(admin: Client, fields: dict[str, Any]) -> None:
    assert admin.post(f"{LIST}add/", form(**fields)).status_code == 302 and Channel.objects.exists()


@override_settings(**LOCAL)
def test_a_test_is_sent_by_the_button(admin: Client, web_server: WebServer) -> None:
    channel = a_channel(ChannelKind.SLACK, web_server.url, name="ops")
    assert "Send a test" in text_of(admin, f"{LIST}{channel.pk}/change/")
    page = admin.post(f"{LIST}{channel.pk}/test/", follow=True).content.decode()
    assert len(web_server.posts) == 1 and "The test was delivered to “ops”." in page
    assert LogEntry.objects.get().change_message == "A test was sent."
    web_server.answer = 404
    page = admin.post(f"{LIST}{channel.pk}/test/", follow=True).content.decode()
    assert "The test was not delivered. The server answered 404." in page


@override_settings(**LOCAL)
def test_a_test_needs_a_post_and_the_right_to_change(web_server: WebServer, admin: Client) -> None:
    channel = a_channel(ChannelKind.SLACK, web_server.url, name="ops")
    admin.get(f"{LIST}{channel.pk}/test/")
    assert a_client("view_channel").post(f"{LIST}{channel.pk}/test/").status_code == 403
    assert not web_server.posts


@pytest.mark.every_database
def test_the_list_shows_uses_and_failures_with_a_constant_number_of_statements(
    admin: Client, django_assert_max_num_queries: Any
) -> None:
    used = a_channel(name="used", is_default=True)
    a_job().channels.add(used)
    Group.objects.create(name="night").channels.add(used)
    FailingChannel.objects.create(
        channel=used.key,
        since="2026-01-01T00:00Z",
        deferred_until="2026-01-01T00:00Z",
        error="The server answered 500.",
    )
    for n in range(20):
        a_channel(name=f"other {n}")
    with django_assert_max_num_queries(25):
        page = text_of(admin, LIST)
    assert "default, jobs: 1, groups: 1" in page and "The server answered 500." in page


def test_a_job_and_a_group_choose_channels_on_their_forms(admin: Client) -> None:
    channel, group, job = a_channel(name="ops"), Group.objects.create(name="night"), a_job()
    job.channels.add(channel)
    assert 'name="channels"' in text_of(admin, f"/admin/chroniker/job/{job.pk}/change/")
    page = admin.post(f"/admin/chroniker/group/{group.pk}/change/", {"name": "night", "channels": [channel.pk]})
    assert page.status_code == 302 and list(group.channels.all()) == [channel]
    assert Job.objects.get().channels.count() == 1


def test_each_event_has_words_in_the_form() -> None:
    assert {event for _title, words in EVENT_LABELS_BY_GROUP for event in words} == set(ALL_EVENTS)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (["alert.late", "run.failed", "run.missed"], "Alerts about jobs: late; Ends of runs: failed, missed"),
        (["of.another.version", "queue.silent"], "Alarms about the scheduler: no worker consumes a queue"),
        ([], "all alerts and alarms"),
        (None, "all alerts and alarms"),
        ({"alert.late": 1}, "all alerts and alarms"),
    ],
)
def test_the_list_names_the_events_in_words(admin: Client, events: Any, words: str) -> None:
    channel = Channel.objects.create(name="ops", kind="SLACK", target=SECRET_URL)
    Channel.objects.filter(pk=channel.pk).update(events=Value(events, Channel._meta.get_field("events")))
    assert words in admin.get(LIST).content.decode()

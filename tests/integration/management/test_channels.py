"""``manage.py channels``, and the check of channels by ``doctor``."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from chroniker.clock.database_clock import database_now
from chroniker.management.diagnosis.messages import diagnose_channels
from chroniker.models import ChannelKind, FailingChannel
from tests.support.channels import LOCAL, a_channel
from tests.support.message_servers import WebServer

pytestmark = pytest.mark.django_db(transaction=True)


def printed(*words: str) -> str:
    out = io.StringIO()
    call_command("channels", *words, stdout=out)
    return out.getvalue()


def failing(key: str) -> None:
    now = database_now()
    FailingChannel.objects.create(channel=key, since=now, deferred_until=now, error="The server answered 404.")


def test_channels_are_listed_without_their_targets() -> None:
    assert printed() == "No channels.\n"
    chat = a_channel(ChannelKind.SLACK, "https://hooks.slack.com/services/hunter2", name="chat", is_default=True)
    a_channel(ChannelKind.PING, "https://hc-ping.com/hunter2", name="ping")
    failing(chat.key)
    text = printed()
    assert (
        "hunter2" not in text
        and "https://hooks.slack.com/…" in text
        and "has failed since 20" in text
        and "The server answered 404." in text
    )
    first, second = [json.loads(line) for line in printed("--json").splitlines()]
    assert (first["name"], first["default"], first["error"]) == ("chat", True, "The server answered 404.")
    assert (second["name"], second["target"], second["error"]) == ("ping", "https://hc-ping.com/…", None)
    assert first["since"] is not None and second["since"] is None


@override_settings(**LOCAL)
def test_a_test_is_sent(web_server: WebServer) -> None:
    channel = a_channel(ChannelKind.SLACK, web_server.url, name="chat")
    failing(channel.key)
    assert printed("--test", "chat") == "The test was delivered to “chat”.\n"
    assert len(web_server.posts) == 1 and not FailingChannel.objects.exists()
    web_server.answer = 403
    with pytest.raises(CommandError, match=r"The test was not delivered\. The server answered 403\."):
        printed("--test", "chat")
    [text] = [text for _level, text, advice in diagnose_channels() if "--test" in advice]
    assert text.startswith("The channel “chat” has failed since 20") and text.endswith("The server answered 403.")
    [line] = printed("--json").splitlines()
    assert json.loads(line)["error"] == "The server answered 403." and json.loads(line)["since"] is not None
    web_server.answer = 200
    printed("--test", "chat")
    assert "no failure" in printed() and not FailingChannel.objects.exists()
    with pytest.raises(CommandError, match="There is no channel named “opps”"):
        printed("--test", "opps")


def test_doctor_lists_channels_whose_last_message_failed() -> None:
    channel = a_channel(name="chat", is_default=True)
    [(level, text, _advice)] = diagnose_channels()
    assert level == 0 and text == "1 are known; none fails."
    failing(channel.key)
    failing("channel:999999")  # deleted since
    [(level, text, advice)] = diagnose_channels()
    assert text.startswith("The channel “chat” has failed since 20") and text.endswith(": The server answered 404.")
    assert level == 1 and "--test" in advice

"""Targets in settings and variables, and messages that no channel can send."""

from __future__ import annotations

import pytest
from django.test import override_settings

from chroniker import outbox
from chroniker.models import Channel, ChannelKind, FailingChannel, Outbox
from chroniker.outbox import channel_test
from tests.integration.channels.sent_messages import sent
from tests.support.channels import a_channel, an_alert, raised
from tests.support.factories import a_job
from tests.support.message_servers import MailServer, WebServer

pytestmark = pytest.mark.django_db


@pytest.mark.usefixtures("_local")
def test_a_target_is_read_from_a_setting_or_a_variable(web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHRONIKER_CHANNEL_OPS", f"{web_server.url}/env")
    a_channel(target="env:CHRONIKER_CHANNEL_OPS", is_default=True)
    a_channel(target="setting:CHRONIKER_CHANNEL_OPS", is_default=True)
    raised(an_alert(a_job()))
    with override_settings(CHRONIKER_CHANNEL_OPS=f"{web_server.url}/setting"):
        assert outbox.send_due_messages() == 2
    assert {each.path for each in web_server.posts} == {"/env", "/setting"}


@pytest.mark.parametrize("target", ["env:DATABASE_URL", "setting:SECRET_KEY", "setting:CHRONIKER_CHANNEL_HOSTS"])
def test_no_other_setting_or_variable_is_read(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://hunter2@db/shop")
    message = sent(target=target)
    assert message.send_at is None and "must begin with CHRONIKER_CHANNEL_" in message.error
    assert "hunter2" not in message.error


@pytest.mark.parametrize("kind", [ChannelKind.MAIL, ChannelKind.WEBHOOK, ChannelKind.SLACK])
def test_the_error_of_a_wrong_value_does_not_repeat_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHRONIKER_CHANNEL_OPS", "https://hooks.example.com:x/hunter2")
    message = sent(kind=kind, target="env:CHRONIKER_CHANNEL_OPS")
    channel = Channel.objects.get()
    error = channel_test.send_test_and_record_result(channel)
    assert error and "hunter2" not in error
    assert message.error and "hunter2" not in message.error


def test_the_error_of_the_mail_server_is_only_its_kind(mail_server: MailServer) -> None:
    channel = a_channel(ChannelKind.MAIL, "ops@example.com")
    mail_server.refusing = True
    assert channel_test.send_test_and_record_result(channel) == "SMTPSenderRefused"
    assert FailingChannel.objects.get().error == "SMTPSenderRefused"
    mail_server.refusing = False
    assert channel_test.send_test_and_record_result(channel) == "" and len(mail_server.mails) == 1


def test_a_message_for_an_empty_setting_is_given_up_and_says_so() -> None:
    message = sent(target="setting:CHRONIKER_CHANNEL_MISSING")
    assert message.send_at is None and "CHRONIKER_CHANNEL_MISSING is empty or not set" in message.error
    assert FailingChannel.objects.get().error == message.error, "doctor lists it"


def test_a_message_for_a_deleted_channel_is_given_up_and_says_so() -> None:
    channel = a_channel(is_default=True)
    raised(an_alert(a_job()))
    channel.delete()
    outbox.send_due_messages()
    message = Outbox.objects.get()
    assert message.send_at is None and message.error == "The channel was deleted."


def test_messages_are_deleted_with_the_job_of_their_alert() -> None:
    a_channel(is_default=True)
    job = a_job()
    raised(an_alert(job))
    job.delete()
    assert not Outbox.objects.exists()


def test_a_channel_of_an_unknown_kind_gives_its_messages_up() -> None:
    message = sent(kind="PIGEON")
    assert message.send_at is None and "PIGEON" in message.error


def test_a_kind_of_mail_needs_no_address_of_a_server() -> None:
    message = sent(kind=ChannelKind.MAIL, target="not an address")
    assert message.send_at is None and "is not an e-mail address" in message.error

"""What happens when a channel fails: its messages wait, those of others do not."""

from __future__ import annotations

import datetime as dt
import json
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chroniker import outbox
from chroniker.clock.database_clock import database_now
from chroniker.models import Channel, ChannelKind, FailingChannel, Outbox, Status
from chroniker.outbox import checked_request, delivery, failing_channels, mail, under_way
from tests.integration.channels.sent_messages import sent
from tests.support.channels import a_channel, an_alert, raised
from tests.support.ended_runs import ended, make_due
from tests.support.factories import a_booked_job, a_job
from tests.support.message_servers import HOST, WebServer
from tests.support.processes import wait_until

pytestmark = pytest.mark.django_db


@pytest.mark.usefixtures("_local")
@pytest.mark.every_database
def test_a_failing_channel_is_deferred_as_a_whole_and_delays_no_other(web_server: WebServer) -> None:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    dead = a_channel(target=f"http://{HOST}:{port}/", is_default=True)
    a_channel(target=web_server.url, is_default=True)
    for _ in range(5):
        raised(an_alert(a_job()))
    assert outbox.send_due_messages() == 5 and len(web_server.posts) == 5
    waiting = Outbox.objects.filter(channel=dead.key)
    row = FailingChannel.objects.get()
    assert row.failures == 1, "one attempt for all its messages"
    assert set(waiting.values_list("attempts", flat=True)) == {1}
    raised(an_alert(a_job()))
    assert outbox.send_due_messages() == 1 and FailingChannel.objects.get().failures == 1, "a new message waits too"
    assert waiting.latest("pk").attempts == 0 and waiting.latest("pk").send_at == row.deferred_until


@pytest.mark.usefixtures("_local")
def test_a_channel_that_works_again_sends_what_waited(web_server: WebServer) -> None:
    web_server.answer = 503
    a_channel(target=web_server.url, is_default=True)
    for _ in range(3):
        raised(an_alert(a_job()))
    assert outbox.send_due_messages() == 0 and len(web_server.posts) == 1
    web_server.answer = 204
    make_due()
    assert outbox.send_due_messages() == 3 and not FailingChannel.objects.exists()


@pytest.mark.usefixtures("_local")
def test_a_message_that_the_server_cannot_read_does_not_defer_the_others(web_server: WebServer) -> None:
    web_server.answer = 400
    a_channel(target=web_server.url, is_default=True)
    for _ in range(3):
        raised(an_alert(a_job()))
    outbox.send_due_messages()
    assert len(web_server.posts) == 3 and FailingChannel.objects.get().failures == 0


@pytest.mark.usefixtures("_local")
def test_the_wait_that_a_server_asks_for_is_kept(web_server: WebServer) -> None:
    web_server.answer, web_server.retry_after = 429, "600"
    sent(target=web_server.url)
    left = FailingChannel.objects.get().deferred_until - database_now()
    assert dt.timedelta(seconds=540) < left <= dt.timedelta(seconds=600)


@pytest.mark.usefixtures("_local")
def test_messages_of_a_channel_that_never_works_are_given_up(web_server: WebServer) -> None:
    web_server.answer = 500
    a_channel(target=web_server.url, is_default=True)
    for _ in range(2):
        raised(an_alert(a_job()))
    while Outbox.objects.exclude(send_at=None).exists():
        make_due()
        outbox.send_due_messages()
    assert set(Outbox.objects.values_list("attempts", flat=True)) == {failing_channels.MAX_ATTEMPTS}


@contextmanager
def a_hanging_server(until: threading.Event) -> Iterator[str]:
    """A server that answers 204, but not before ``until`` is set. Yields its URL; ``until`` is set at the end."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        until.wait(30)
        with suppress(OSError):  # the sender may be gone
            handler.send_response(204)
            handler.end_headers()

    quiet = {"do_POST": answer, "log_message": lambda *args: None}
    with ThreadingHTTPServer((HOST, 0), type("Hanging", (BaseHTTPRequestHandler,), quiet)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            until.set()
            server.shutdown()
            thread.join(30)


@pytest.mark.usefixtures("_local")
@pytest.mark.parametrize("failed_before", [False, True])
def test_servers_that_do_not_answer_delay_no_other(
    web_server: WebServer, monkeypatch: pytest.MonkeyPatch, *, failed_before: bool
) -> None:
    """They answer after the message for the last server came: without that, after the longest time of a request."""
    came = threading.Event()
    posts = web_server.posts
    monkeypatch.setattr(web_server, "posts", _Reported(posts, came))
    many = 12 if failed_before else under_way.MAX_SERVERS - 1
    with a_hanging_server(came) as url:
        hanging = [a_channel(target=f"{url}/{n}", is_default=True) for n in range(many)]
        if failed_before:
            now = database_now()
            for channel in hanging:
                FailingChannel.objects.create(channel=channel.key, since=now, deferred_until=now, failures=1)
        a_channel(target=web_server.url, is_default=True)
        raised(an_alert(a_job()))
        monkeypatch.setattr(checked_request, "STEP_TIMEOUT", 30.0)
        assert outbox.send_due_messages() == many + 1 and not FailingChannel.objects.exists()


def test_messages_for_many_failing_servers_are_read_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waiting, begun = database_now(), list[int](), list[str]()
    failing = [f"channel:{n}" for n in range(60)]
    FailingChannel.objects.bulk_create(FailingChannel(channel=each, since=now, deferred_until=now) for each in failing)
    Outbox.objects.bulk_create(Outbox(channel=each, payload={}, send_at=now) for each in [*failing, "channel:works"])
    read = delivery._fetch_due_batch

    def due(without: Collection[str], *, with_failing: bool) -> list[Outbox]:
        waiting.append(len(without))
        return read(without, with_failing=with_failing)

    def prepared(message: Outbox) -> Callable[[], None]:
        begun.append(message.channel)
        return lambda: None

    monkeypatch.setattr(delivery, "_fetch_due_batch", due)
    monkeypatch.setattr(delivery, "BATCH_SIZE", 10)
    monkeypatch.setattr(delivery, "MAX_SERVERS_WITH_WAITING_MESSAGES", 20)
    monkeypatch.setattr(delivery, "PREPARE_BY_KIND", {"channel": prepared})
    assert outbox.send_due_messages() == 61 and 10 < max(waiting) < 30
    assert "channel:works" in begun[: under_way.MAX_SERVERS], "although messages for failing servers are older"


class _Reported(list[Any]):
    """A list that sets an event with its first item."""

    def __init__(self, items: list[Any], came: threading.Event) -> None:
        super().__init__(items)
        self._came = came

    def append(self, item: Any) -> None:
        super().append(item)
        self._came.set()


@pytest.mark.usefixtures("_local")
def test_one_server_gets_its_messages_one_at_a_time_and_in_order(web_server: WebServer) -> None:
    a_channel(target=web_server.url, is_default=True)
    alerts = [an_alert(a_job()) for _ in range(20)]
    for alert in alerts:
        raised(alert)
    assert outbox.send_due_messages() == 20
    ids = [json.loads(each.body)["data"]["alert"]["id"] for each in web_server.posts]
    assert ids == [str(alert.pk) for alert in alerts]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_local")
def test_messages_that_come_while_a_server_hangs_are_sent(web_server: WebServer) -> None:
    answers = threading.Event()
    with a_hanging_server(answers) as url:
        a_channel(target=url, is_default=True)
        raised(an_alert(a_job()))
        outbox.start_sender_if_message_due()
        wait_until(lambda: Outbox.objects.get().attempts == 1)
        Channel.objects.update(is_default=False)
        a_channel(target=web_server.url, is_default=True)
        raised(an_alert(a_job()))
        wait_until(lambda: len(web_server.posts) == 1)
        assert outbox.is_sending() and Outbox.objects.filter(sent_at=None).count() <= 2
    wait_until(lambda: not outbox.is_sending())
    assert not Outbox.objects.filter(sent_at=None).exists()


@pytest.mark.usefixtures("_local")
def test_alerts_are_sent_before_other_messages(web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MAX_SERVERS", 1)
    a_channel(target=f"{web_server.url}/runs", is_default=True, events=["run.succeeded"])
    a_channel(target=f"{web_server.url}/alerts", is_default=True)
    ended(a_booked_job(), Status.SUCCEEDED)
    raised(an_alert(a_job()))
    assert outbox.send_due_messages() == 2
    assert [each.path for each in web_server.posts] == ["/alerts", "/runs"]


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), RuntimeError()])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_message_whose_thread_ends_by_an_exception_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def end(*args: object) -> None:
        raise error

    monkeypatch.setattr(mail, "send_mail", end)
    message = sent(kind=ChannelKind.MAIL, target="ops@example.com")
    assert message.sent_at is None and message.send_at is not None and message.attempts == 1
    assert type(error).__name__ in message.error and FailingChannel.objects.get().failures == 1

"""Where requests may go, and what happens when a channel fails."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from chroniker import outbox
from chroniker.clock.database_clock import database_now
from chroniker.models import Channel, ChannelKind, FailingChannel, Outbox, Status
from chroniker.outbox import channel_test, checked_request, delivery, failing_channels, mail, under_way
from chroniker.outbox.checked_request import HttpRequest, NotDelivered, post
from tests.support.channels import LOCAL, a_channel, an_alert, raised
from tests.support.ended_runs import ended, make_due
from tests.support.factories import a_booked_job, a_job
from tests.support.message_servers import HOST, WebServer, web_server
from tests.support.processes import wait_until

pytestmark = pytest.mark.django_db

NOT_REACHED = str(NotDelivered())


@pytest.fixture
def _local() -> Iterator[None]:
    with override_settings(**LOCAL):
        yield


def sent(**fields: Any) -> Outbox:
    """One alert for a new default channel, after one attempt."""
    a_channel(is_default=True, **fields)
    raised(an_alert(a_job()))
    outbox.send_due()
    return Outbox.objects.get()


# -- addresses ---------------------------------------------------------------------------------------------------


def test_a_private_address_is_refused_unless_it_is_listed(web_server: WebServer) -> None:
    message = sent(target=web_server.url)
    assert not web_server.posts and message.error.startswith("This address is in a private network.")
    for listed in ([HOST], ["127.0.0.0/8"]):
        with override_settings(CHRONIKER_CHANNEL_HOSTS=listed):
            outbox.send_again([message.pk])
            assert outbox.send_due() == 1
    assert len(web_server.posts) == 2


def test_a_name_that_leads_to_a_private_address_is_refused(web_server: WebServer) -> None:
    """With the same text as a server that does not answer: a channel is no means to explore a network."""
    reached = sent(target=f"http://localhost:{web_server.server_port}/")
    assert not web_server.posts and reached.error == NOT_REACHED
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    Channel.objects.all().delete()
    with override_settings(CHRONIKER_CHANNEL_HOSTS=["localhost"]):
        a_channel(target=f"http://localhost:{port}/", is_default=True, name="closed")
        raised(an_alert(a_job()))
        outbox.send_due()
    assert Outbox.objects.latest("pk").error == NOT_REACHED


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "10.0.0.1", "0.0.0.0", "100.64.0.1", "240.0.0.1"),
        *("::1", "::", "fe80::1%eth0", "fec0::1", "fd00::1", "ff02::1"),
        # with an IPv4 address inside: mapped, compatible, translated, NAT64 (two kinds), 6to4
        *("::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b:1:7f00:0:100:808:808", "2002:7f00:1::"),
    ],
)
def test_addresses_that_are_not_public_are_not_contacted(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    def resolve(*args: Any, **options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))]

    def refuse(*args: Any) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(NotDelivered, match="CHRONIKER_CHANNEL_HOSTS"):
        post(HttpRequest("http://metadata.example.com/", b""))


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0"])
def test_other_spellings_of_a_private_address_are_refused(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(NotDelivered, match="CHRONIKER_CHANNEL_HOSTS"):
        post(HttpRequest(f"http://{host}/", b""))


@override_settings(CHRONIKER_CHANNEL_HOSTS=["127.0.0.1/32"])
def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that answers with a permitted address first, and with another one to every later question."""
    real, asked = socket.getaddrinfo, list[str]()

    def resolve(host: str, *args: Any, **options: Any) -> Any:
        if host != "hooks.example.com":
            return real(host, *args, **options)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with web_server() as checked, socket.create_server(("127.0.0.2", checked.server_port)) as other:
        other.settimeout(0.1)
        post(HttpRequest(f"http://hooks.example.com:{checked.server_port}/x", b"{}"))
        with pytest.raises(TimeoutError):
            other.accept()
        [received] = checked.posts
    assert received.headers["host"] == f"hooks.example.com:{checked.server_port}" and asked == ["hooks.example.com"]


@pytest.mark.usefixtures("_local")
def test_redirects_are_not_followed_and_errors_have_the_status_alone(web_server: WebServer) -> None:
    web_server.answer, web_server.location = 302, f"{web_server.url}/elsewhere"
    message = sent(target=f"{web_server.url}/a-secret-path")
    assert len(web_server.posts) == 1 and message.error == "The server answered 302."


@contextmanager
def a_slow_server(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that answers one byte at a time and never ends. Yields its port."""
    done = threading.Event()
    with socket.create_server((HOST, 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                plain, _peer = server.accept()
                taken = context.wrap_socket(plain, server_side=True) if context else plain
                with taken:
                    taken.recv(1000)
                    while not done.wait(0.01):
                        taken.sendall(b"H")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join(30)


@pytest.mark.usefixtures("_local")
def test_a_server_that_never_ends_its_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked_request, "LONGEST", 0.3)
    with a_slow_server() as port, pytest.raises(NotDelivered):
        post(HttpRequest(f"http://{HOST}:{port}/", b""))


def test_all_attempts_to_connect_together_have_one_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = [0.0], list[float]()

    def resolve(*args: Any, **options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"8.8.8.{n}", 80)) for n in range(3)]

    def wait(_address: Any, seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds
        raise TimeoutError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", wait)
    monkeypatch.setattr(checked_request, "monotonic", lambda: now[0])
    monkeypatch.setattr(checked_request, "LONGEST", 25.0)
    with pytest.raises(NotDelivered):
        post(HttpRequest("http://hooks.example.com/", b""))
    assert waits == [10.0, 10.0, 5.0]


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The context of a server for localhost, whose certificate requests trust."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed here")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(cert), *subject]
    subprocess.run(new, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    trusting = ssl.create_default_context(cafile=str(cert))
    monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
    return context


@override_settings(CHRONIKER_CHANNEL_HOSTS=["127.0.0.1", "::1"])
def test_a_certificate_is_checked_for_the_name_and_not_the_address(certificate: ssl.SSLContext) -> None:
    with web_server() as server:
        server.socket = certificate.wrap_socket(server.socket, server_side=True)
        post(HttpRequest(f"https://localhost:{server.server_port}/x", b"{}"))
        assert [each.path for each in server.posts] == ["/x"]
        with pytest.raises(NotDelivered):
            post(HttpRequest(f"https://{HOST}:{server.server_port}/y", b"{}"))
        assert len(server.posts) == 1


@override_settings(CHRONIKER_CHANNEL_HOSTS=["127.0.0.1", "::1"])
def test_a_server_with_a_certificate_that_never_ends_its_answer_is_left(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_request, "LONGEST", 0.3)
    with a_slow_server(certificate) as port, pytest.raises(NotDelivered):
        post(HttpRequest(f"https://localhost:{port}/", b""))


# -- targets -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_local")
def test_a_target_is_read_from_a_setting_or_a_variable(web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHRONIKER_CHANNEL_OPS", f"{web_server.url}/env")
    a_channel(target="env:CHRONIKER_CHANNEL_OPS", is_default=True)
    a_channel(target="setting:CHRONIKER_CHANNEL_OPS", is_default=True)
    raised(an_alert(a_job()))
    with override_settings(CHRONIKER_CHANNEL_OPS=f"{web_server.url}/setting"):
        assert outbox.send_due() == 2
    assert {each.path for each in web_server.posts} == {"/env", "/setting"}


@pytest.mark.parametrize("target", ["env:DATABASE_URL", "setting:SECRET_KEY", "setting:CHRONIKER_CHANNEL_HOSTS"])
def test_no_other_setting_or_variable_is_read(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://hunter2@db/shop")
    message = sent(target=target)
    assert message.send_at is None and "begins with CHRONIKER_CHANNEL_" in message.error
    assert "hunter2" not in message.error


@pytest.mark.parametrize("kind", [ChannelKind.MAIL, ChannelKind.WEBHOOK, ChannelKind.SLACK])
def test_the_error_of_a_wrong_value_does_not_repeat_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHRONIKER_CHANNEL_OPS", "https://hooks.example.com:x/hunter2")
    message = sent(kind=kind, target="env:CHRONIKER_CHANNEL_OPS")
    channel = Channel.objects.get()
    assert channel_test.send(channel) and "hunter2" not in channel_test.send(channel)
    assert message.error and "hunter2" not in message.error


def test_a_message_for_an_empty_setting_is_given_up_and_says_so() -> None:
    message = sent(target="setting:CHRONIKER_CHANNEL_MISSING")
    assert message.send_at is None and "CHRONIKER_CHANNEL_MISSING is empty or not set" in message.error
    assert FailingChannel.objects.get().error == message.error, "doctor lists it"


def test_a_message_for_a_deleted_channel_is_given_up_and_says_so() -> None:
    channel = a_channel(is_default=True)
    raised(an_alert(a_job()))
    channel.delete()
    outbox.send_due()
    message = Outbox.objects.get()
    assert message.send_at is None and message.error == "The channel was deleted."


def test_messages_are_deleted_with_the_job_of_their_alert() -> None:
    a_channel(is_default=True)
    job = a_job()
    raised(an_alert(job))
    job.delete()
    assert not Outbox.objects.exists()


# -- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_local")
@pytest.mark.every_database
def test_a_failing_channel_is_deferred_as_a_whole_and_delays_no_other(web_server: WebServer) -> None:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    dead = a_channel(target=f"http://{HOST}:{port}/", is_default=True)
    a_channel(target=web_server.url, is_default=True)
    for _ in range(5):
        raised(an_alert(a_job()))
    assert outbox.send_due() == 5 and len(web_server.posts) == 5
    waiting = Outbox.objects.filter(channel=dead.key)
    row = FailingChannel.objects.get()
    assert row.failures == 1, "one attempt for all its messages"
    assert set(waiting.values_list("attempts", flat=True)) == {1}
    raised(an_alert(a_job()))
    assert outbox.send_due() == 1 and FailingChannel.objects.get().failures == 1, "a new message waits too"
    assert waiting.latest("pk").attempts == 0 and waiting.latest("pk").send_at == row.deferred_until


@pytest.mark.usefixtures("_local")
def test_a_channel_that_works_again_sends_what_waited(web_server: WebServer) -> None:
    web_server.answer = 503
    a_channel(target=web_server.url, is_default=True)
    for _ in range(3):
        raised(an_alert(a_job()))
    assert outbox.send_due() == 0 and len(web_server.posts) == 1
    web_server.answer = 204
    make_due()
    assert outbox.send_due() == 3 and not FailingChannel.objects.exists()


@pytest.mark.usefixtures("_local")
def test_a_message_that_the_server_cannot_read_does_not_defer_the_others(web_server: WebServer) -> None:
    web_server.answer = 400
    a_channel(target=web_server.url, is_default=True)
    for _ in range(3):
        raised(an_alert(a_job()))
    outbox.send_due()
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
        outbox.send_due()
    assert set(Outbox.objects.values_list("attempts", flat=True)) == {failing_channels.MOST_ATTEMPTS}


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
    many = 12 if failed_before else under_way.MOST - 1
    with a_hanging_server(came) as url:
        hanging = [a_channel(target=f"{url}/{n}", is_default=True) for n in range(many)]
        if failed_before:
            now = database_now()
            for channel in hanging:
                FailingChannel.objects.create(channel=channel.key, since=now, deferred_until=now, failures=1)
        a_channel(target=web_server.url, is_default=True)
        raised(an_alert(a_job()))
        monkeypatch.setattr(checked_request, "TIMEOUT", 30.0)
        assert outbox.send_due() == many + 1 and not FailingChannel.objects.exists()


def test_messages_for_many_failing_servers_are_read_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waiting, begun = database_now(), list[int](), list[str]()
    failing = [f"channel:{n}" for n in range(60)]
    FailingChannel.objects.bulk_create(FailingChannel(channel=each, since=now, deferred_until=now) for each in failing)
    Outbox.objects.bulk_create(Outbox(channel=each, payload={}, send_at=now) for each in [*failing, "channel:works"])
    read = delivery._due

    def due(without: Collection[str], *, with_failing: bool) -> list[Outbox]:
        waiting.append(len(without))
        return read(without, with_failing=with_failing)

    def prepared(message: Outbox) -> Callable[[], None]:
        begun.append(message.channel)
        return lambda: None

    monkeypatch.setattr(delivery, "_due", due)
    monkeypatch.setattr(delivery, "BATCH", 10)
    monkeypatch.setattr(delivery, "MOST_WAITING", 20)
    monkeypatch.setattr(delivery, "CHANNELS", {"channel": prepared})
    assert outbox.send_due() == 61 and 10 < max(waiting) < 30
    assert "channel:works" in begun[: under_way.MOST], "although messages for failing servers are older"


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
    assert outbox.send_due() == 20
    ids = [json.loads(each.body)["data"]["alert"]["id"] for each in web_server.posts]
    assert ids == [str(alert.pk) for alert in alerts]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_local")
def test_messages_that_come_while_a_server_hangs_are_sent(web_server: WebServer) -> None:
    answers = threading.Event()
    with a_hanging_server(answers) as url:
        a_channel(target=url, is_default=True)
        raised(an_alert(a_job()))
        outbox.send_soon()
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
    monkeypatch.setattr(delivery, "MOST", 1)
    a_channel(target=f"{web_server.url}/runs", is_default=True, events=["run.succeeded"])
    a_channel(target=f"{web_server.url}/alerts", is_default=True)
    ended(a_booked_job(), Status.SUCCEEDED)
    raised(an_alert(a_job()))
    assert outbox.send_due() == 2
    assert [each.path for each in web_server.posts] == ["/alerts", "/runs"]


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), RuntimeError()])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_message_whose_thread_ends_by_an_exception_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def end(*args: object) -> None:
        raise error

    monkeypatch.setattr(mail, "post", end)
    message = sent(kind=ChannelKind.MAIL, target="ops@example.com")
    assert message.sent_at is None and message.send_at is not None and message.attempts == 1
    assert type(error).__name__ in message.error and FailingChannel.objects.get().failures == 1


def test_a_channel_of_an_unknown_kind_gives_its_messages_up() -> None:
    message = sent(kind="PIGEON")
    assert message.send_at is None and "PIGEON" in message.error


def test_a_kind_of_mail_needs_no_address_of_a_server() -> None:
    message = sent(kind=ChannelKind.MAIL, target="not an address")
    assert message.send_at is None and "is no e-mail address" in message.error

"""Where requests of channels may go, and how long they may take."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from chroniker import outbox
from chroniker.models import Channel, Outbox
from chroniker.outbox import checked_request
from chroniker.outbox.checked_request import NotDelivered, OutgoingRequest, post
from tests.integration.channels.sent_messages import sent
from tests.support.channels import a_channel, an_alert, raised
from tests.support.factories import a_job
from tests.support.message_servers import HOST, WebServer, web_server

pytestmark = pytest.mark.django_db

NOT_REACHED = str(NotDelivered())


def test_a_private_address_is_refused_unless_it_is_listed(web_server: WebServer) -> None:
    message = sent(target=web_server.url)
    assert not web_server.posts and message.error.startswith("This address is in a private network.")
    for listed in ([HOST], ["127.0.0.0/8"]):
        with override_settings(CHRONIKER_CHANNEL_HOSTS=listed):
            outbox.send_messages_again([message.pk])
            assert outbox.send_due_messages() == 1
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
        outbox.send_due_messages()
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
        post(OutgoingRequest("http://metadata.example.com/", b""))


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0"])
def test_other_spellings_of_a_private_address_are_refused(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(NotDelivered, match="CHRONIKER_CHANNEL_HOSTS"):
        post(OutgoingRequest(f"http://{host}/", b""))


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
        post(OutgoingRequest(f"http://hooks.example.com:{checked.server_port}/x", b"{}"))
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
    monkeypatch.setattr(checked_request, "REQUEST_TIMEOUT", 0.3)
    with a_slow_server() as port, pytest.raises(NotDelivered):
        post(OutgoingRequest(f"http://{HOST}:{port}/", b""))


@pytest.mark.usefixtures("_local")
def test_no_thread_outlives_a_request(web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check W013 of the same process would name it as a thread that the project started."""
    timers = list[threading.Timer]()

    class EndsLate(threading.Timer):
        def run(self) -> None:
            timers.append(self)
            super().run()
            time.sleep(0.2)

    monkeypatch.setattr(threading, "Timer", EndsLate)
    post(OutgoingRequest(web_server.url, b"{}"))
    assert [each.is_alive() for each in timers] == [False]


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
    monkeypatch.setattr(checked_request, "REQUEST_TIMEOUT", 25.0)
    with pytest.raises(NotDelivered):
        post(OutgoingRequest("http://hooks.example.com/", b""))
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
        post(OutgoingRequest(f"https://localhost:{server.server_port}/x", b"{}"))
        assert [each.path for each in server.posts] == ["/x"]
        with pytest.raises(NotDelivered):
            post(OutgoingRequest(f"https://{HOST}:{server.server_port}/y", b"{}"))
        assert len(server.posts) == 1


@override_settings(CHRONIKER_CHANNEL_HOSTS=["127.0.0.1", "::1"])
def test_a_server_with_a_certificate_that_never_ends_its_answer_is_left(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_request, "REQUEST_TIMEOUT", 0.3)
    with a_slow_server(certificate) as port, pytest.raises(NotDelivered):
        post(OutgoingRequest(f"https://localhost:{port}/", b""))

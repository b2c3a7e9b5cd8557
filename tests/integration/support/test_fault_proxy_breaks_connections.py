from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.processes import wait_until
from tests.support.servers import HOST, FaultProxy


@pytest.fixture
def received() -> list[bytes]:
    """The data that the server received."""
    return []


@pytest.fixture
def echo(received: list[bytes]) -> Iterator[int]:
    """The port of a server that sends received data back."""
    listener = socket.create_server((HOST, 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=repeat, args=(connection,), daemon=True).start()

    def repeat(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(1000):
                    received.append(data)
                    connection.sendall(data)
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def proxy(echo: int) -> Iterator[FaultProxy]:
    with FaultProxy(echo) as proxy:
        yield proxy


def connect(proxy: FaultProxy, timeout: float = 10.0) -> closing[socket.socket]:
    return closing(socket.create_connection((HOST, proxy.port), timeout=timeout))


def test_bytes_pass_both_ways(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"there and back")
        assert connection.recv(100) == b"there and back"


def test_a_frozen_connection_stays_open_and_continues_without_loss(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        proxy.set("freeze")
        connection.sendall(b"late")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        proxy.set("pass")
        connection.settimeout(10)
        assert connection.recv(100) == b"late"


def test_a_reset_ends_open_connections_and_refuses_new_ones(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"x")
        connection.recv(1)
        proxy.set("reset")
        assert ends(connection)
    assert refuses(proxy)


def test_a_slow_connection_delays_and_delivers(proxy: FaultProxy) -> None:
    proxy.set("slow", delay=0.2)
    with connect(proxy) as connection:
        started = time.monotonic()
        connection.sendall(b"slowly")
        assert connection.recv(100) == b"slowly"
        assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_connection_can_be_frozen_in_one_direction(proxy: FaultProxy, way: str) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"x")
        connection.recv(1)
        proxy.set("freeze", way=way)
        connection.sendall(b"one way")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        proxy.set("pass")
        connection.settimeout(10)
        assert connection.recv(100) == b"one way"


def test_a_cut_in_the_request_forwards_only_its_beginning(received: list[bytes], proxy: FaultProxy) -> None:
    proxy.set("cut", way="up", after=7)
    with connect(proxy) as connection:
        connection.sendall(b"UPDATE is never whole")
        assert wait_until(lambda: b"".join(received) == b"UPDATE ")
        assert is_reset(connection)
    with connect(proxy) as connection:
        connection.sendall(b"shorter")
        assert is_reset(connection)
    assert proxy.broken == 2


def test_a_cut_in_the_response_happens_after_the_request_was_forwarded(
    received: list[bytes], proxy: FaultProxy
) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"before")
        assert connection.recv(100) == b"before"
        proxy.set("cut", way="down", after=3)
        connection.sendall(b"answered")
        assert wait_until(lambda: b"".join(received) == b"beforeanswered")
        assert is_reset(connection)
    proxy.set("pass")
    with connect(proxy) as connection:
        connection.sendall(b"whole again")
        assert connection.recv(100) == b"whole again"


def test_a_proxy_can_be_redirected_to_another_server(proxy: FaultProxy) -> None:
    with socket.create_server((HOST, 0)) as other, connect(proxy) as before:
        before.sendall(b"x")
        before.recv(1)
        proxy.move(other.getsockname()[1])
        assert is_reset(before)
        with connect(proxy) as after:
            after.sendall(b"y")
            with other.accept()[0] as connection:
                assert connection.recv(1) == b"y"


def test_a_client_that_disconnects_ends_the_connection_to_the_server(proxy: FaultProxy, echo: int) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"x")
        connection.recv(1)
    with connect(proxy) as connection:
        connection.sendall(b"y")
        assert connection.recv(1) == b"y"


def ends(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def refuses(proxy: FaultProxy) -> bool:
    """The reset may come even before ``connect`` returns."""
    try:
        with connect(proxy) as connection:
            return ends(connection)
    except ConnectionError:
        return True


def is_reset(connection: socket.socket) -> bool:
    """In any case the connection ends with RST, not with an orderly close."""
    try:
        while connection.recv(100):
            pass
    except ConnectionResetError:
        return True
    return False

from __future__ import annotations

import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.support.processes import wait_until
from tests.support.servers import OwnNetwork, Way

# Nightly: where a link appears, Chromium aborts the requests of tests that run at the same time (ERR_NETWORK_CHANGED).
pytestmark = [pytest.mark.namespaces, pytest.mark.nightly]

TALK = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for line in sys.stdin:
    connection.sendall(line.encode())
    print(connection.recv(100).decode(), end="", flush=True)
"""


class Talk:
    """A connection from inside the network, with what each side received."""

    def __init__(self, network: OwnNetwork) -> None:
        self.got: list[bytes] = []
        self.back: queue.Queue[str] = queue.Queue()
        self._listener = socket.create_server((network.address, 0))
        port = str(self._listener.getsockname()[1])
        words = [*network.prefix, sys.executable, "-c", TALK, network.address, port]
        self._client = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._connection, _address = self._listener.accept()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._repeat, self._receive)]
        for thread in self._threads:
            thread.start()

    def _repeat(self) -> None:
        while data := self._connection.recv(100):
            self.got.append(data)
            self._connection.sendall(data)

    def _receive(self) -> None:
        assert self._client.stdout is not None
        for line in self._client.stdout:
            self.back.put(line)

    def send(self, line: str) -> None:
        assert self._client.stdin is not None
        self._client.stdin.write(line)
        self._client.stdin.flush()

    def end(self) -> None:
        assert self._client.stdin is not None and self._client.stdout is not None
        self._client.stdin.close()
        self._client.wait()
        for thread in self._threads:
            thread.join()
        self._client.stdout.close()
        self._connection.close()
        self._listener.close()


@pytest.fixture
def network() -> Iterator[OwnNetwork]:
    with OwnNetwork() as network:
        yield network


@pytest.fixture
def talk(network: OwnNetwork) -> Iterator[Talk]:
    talk = Talk(network)
    talk.send("hello\n")
    assert talk.back.get(timeout=30) == "hello\n"
    yield talk
    talk.end()


@pytest.mark.parametrize("way", list(Way))
def test_a_cut_drops_packets_of_one_direction_and_keeps_the_connection(
    network: OwnNetwork, talk: Talk, way: Way
) -> None:
    network.cut(way)
    talk.send("lost\n")
    if way is Way.DOWN:
        wait_until(lambda: b"lost\n" in talk.got, what="the question got through")
    with pytest.raises(queue.Empty):
        talk.back.get(timeout=0.5)
    assert (b"lost\n" in talk.got) == (way is Way.DOWN)
    network.restore()
    assert talk.back.get(timeout=60) == "lost\n"


def test_a_removed_network_leaves_nothing_behind() -> None:
    with OwnNetwork() as network:
        assert network.address in addresses()
    assert network.address not in addresses()


def addresses() -> str:
    return subprocess.run(["ip", "addr"], capture_output=True, text=True, check=True).stdout

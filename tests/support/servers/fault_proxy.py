"""A TCP proxy on loopback that simulates network failures between one process and a server."""

from __future__ import annotations

import asyncio
import enum
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support.servers.base import HOST
from tests.support.servers.commits import Dialogue

POLL_SECONDS = 0.02
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(enum.Enum):
    """What the proxy does with bytes."""

    PASS = "pass"
    FREEZE = "freeze"  # connections stay open and no bytes pass, like an unplugged cable
    RESET = "reset"  # open and new connections are reset, like those of a killed process
    SLOW = "slow"  # each piece arrives ``delay`` seconds late
    CUT = "cut"  # each connection is reset ``after`` this number of further bytes, within a statement or an answer
    LOSE_COMMIT = "lose_commit"  # the server commits; its answer is dropped and the connection reset


class Way(enum.Enum):
    """The direction that a mode applies to. RESET and LOSE_COMMIT always end the whole connection."""

    UP = "up"  # from the client to the server
    DOWN = "down"  # from the server to the client
    BOTH = "both"


@dataclass
class _Wire:
    """One connection. ``passed``: bytes that came through since the proxy's mode changed for the ``change``-th time."""

    dialogue: Dialogue | None
    ends: list[asyncio.StreamWriter]
    change: int = 0
    passed: dict[Way, int] = field(default_factory=dict)


class FaultProxy:
    """Listens on ``host`` and ``port``, forwards to ``upstream``.

    ``set`` changes the mode for open and new connections alike.
    ``dialogue`` is the protocol in which commits are to be recognized, for LOSE_COMMIT.
    With ``tls`` its clients use TLS; the server behind it does not.
    """

    def __init__(
        self,
        upstream_port: int,
        *,
        host: str = HOST,
        dialogue: Callable[[], Dialogue] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.upstream = (HOST, upstream_port)
        self._tls = tls
        self.host = host
        self.port = 0
        self.mode = Mode.PASS
        self.way = Way.BOTH
        self.delay = 0.0
        self.after = 0
        self.broken = 0  # connections that CUT and LOSE_COMMIT have reset
        self._dialogue = dialogue
        self._change = 0
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def set(self, mode: Mode | str, *, delay: float = 0.0, way: Way | str = Way.BOTH, after: int = 0) -> None:
        """Change the mode; ``delay`` is for SLOW, in seconds per piece, ``after`` for CUT."""
        coroutine = self._set(Mode(mode), Way(way), delay, after)
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def move(self, upstream_port: int) -> None:
        """Reset open connections; new ones go to another server."""
        asyncio.run_coroutine_threadsafe(self._move(upstream_port), self._loop).result()

    async def _set(self, mode: Mode, way: Way, delay: float, after: int) -> None:
        self.mode, self.way, self.delay, self.after = mode, way, delay, after
        self._change += 1
        if mode is Mode.RESET:
            self._abort_all()

    async def _move(self, upstream_port: int) -> None:
        self.upstream = (HOST, upstream_port)
        self._abort_all()

    def _abort_all(self) -> None:
        for writer in self._writers:
            _reset(writer)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._accept, self.host, 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._end.wait()
        server.close()
        self._abort_all()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._writers.add(writer)
        try:
            await self._forward(reader, writer)
        except (OSError, asyncio.CancelledError):
            _reset(writer)
        finally:
            self._writers.discard(writer)
            self._connections.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._gate(Way.UP)
        if self.mode is Mode.RESET:
            raise ConnectionResetError
        upstream_reader, upstream_writer = await asyncio.open_connection(*self.upstream)
        self._writers.add(upstream_writer)
        wire = _Wire(self._dialogue() if self._dialogue else None, [writer, upstream_writer])
        try:
            await asyncio.gather(
                self._pump(reader, upstream_writer, wire, Way.UP),
                self._pump(upstream_reader, writer, wire, Way.DOWN),
            )
        finally:
            upstream_writer.transport.abort()
            self._writers.discard(upstream_writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: _Wire, way: Way) -> None:
        """Forward one direction until it ends, then end the other one too."""
        try:
            while piece := await reader.read(65536):
                committed = wire.dialogue is not None and wire.dialogue.commits(piece, up=way is Way.UP)
                await self._gate(way)
                if committed and self.mode is Mode.LOSE_COMMIT:
                    self._break(wire)
                writer.write(piece[: self._allowed(len(piece), wire, way)])
                await writer.drain()
                if self._allowed(1, wire, way) == 0:
                    self._break(wire)
        finally:
            if not writer.is_closing() and self.mode is not Mode.RESET:
                writer.close()
            else:
                writer.transport.abort()

    async def _gate(self, way: Way) -> None:
        if self.mode is Mode.SLOW and self.way in (way, Way.BOTH):
            await asyncio.sleep(self.delay)
        while self.mode is Mode.FREEZE and self.way in (way, Way.BOTH):
            await asyncio.sleep(POLL_SECONDS)

    def _allowed(self, size: int, wire: _Wire, way: Way) -> int:
        """How many of these bytes may pass before CUT resets the connection."""
        if self.mode is not Mode.CUT or self.way not in (way, Way.BOTH):
            return size
        if wire.change != self._change:
            wire.change, wire.passed = self._change, {}
        allowed = min(size, self.after - wire.passed.get(way, 0))
        wire.passed[way] = wire.passed.get(way, 0) + allowed
        return allowed

    def _break(self, wire: _Wire) -> None:
        self.broken += 1
        for writer in wire.ends:
            _reset(writer)
        raise ConnectionResetError


def _reset(writer: asyncio.StreamWriter) -> None:
    """Bytes in transit are lost, and the peer receives an RST, unlike after a close."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() != -1:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()

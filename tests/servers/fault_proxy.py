"""A TCP proxy on loopback that can fail the way networks do: to cut one worker off from a broker or database."""

from __future__ import annotations

import asyncio
import enum
import threading
from types import TracebackType
from typing import Self

from tests.servers.base import HOST

POLL_SECONDS = 0.02


class Mode(enum.Enum):
    """What happens to bytes on their way through."""

    PASS = "pass"
    FREEZE = "freeze"  # connections stay open and nothing comes through, like a cable pulled out
    RESET = "reset"  # open connections are reset, new ones too, like a process that was killed
    SLOW = "slow"  # each piece arrives ``delay`` seconds late


class FaultProxy:
    """Listens on ``port``, forwards to ``upstream``. ``set`` changes the mode for open and new connections alike."""

    def __init__(self, upstream_port: int, *, upstream_host: str = HOST) -> None:
        self.upstream = (upstream_host, upstream_port)
        self.port = 0
        self.mode = Mode.PASS
        self.delay = 0.0
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

    def set(self, mode: Mode | str, *, delay: float = 0.0) -> None:
        """Change the mode; ``delay`` is for SLOW, in seconds per piece. In force when this returns."""
        asyncio.run_coroutine_threadsafe(self._change(Mode(mode), delay), self._loop).result()

    async def _change(self, mode: Mode, delay: float) -> None:
        self.mode, self.delay = mode, delay
        if mode is Mode.RESET:
            self._abort_all()

    def _abort_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._accept, HOST, 0)
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
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
            self._connections.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._gate()
        if self.mode is Mode.RESET:
            raise ConnectionResetError
        upstream_reader, upstream_writer = await asyncio.open_connection(*self.upstream)
        self._writers.add(upstream_writer)
        try:
            await asyncio.gather(self._pump(reader, upstream_writer), self._pump(upstream_reader, writer))
        finally:
            upstream_writer.transport.abort()
            self._writers.discard(upstream_writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction until it ends; then end the other too, as both clients of this project's tests do."""
        try:
            while piece := await reader.read(65536):
                await self._gate()
                writer.write(piece)
                await writer.drain()
        finally:
            if not writer.is_closing() and self.mode is not Mode.RESET:
                writer.close()
            else:
                writer.transport.abort()

    async def _gate(self) -> None:
        if self.mode is Mode.SLOW:
            await asyncio.sleep(self.delay)
        while self.mode is Mode.FREEZE:
            await asyncio.sleep(POLL_SECONDS)

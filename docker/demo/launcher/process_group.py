"""All processes of the demo."""

from __future__ import annotations

import asyncio
import ctypes
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from launcher.console import Console
from launcher.service import Service

PR_SET_CHILD_SUBREAPER = 36
SWEEP_SECONDS = 5.0


class DemoFailed(Exception):
    """The demo cannot continue."""


class ProcessGroup:
    """Ends all its processes on exit, the first one (the broker) last, and all their descendants."""

    def __init__(self, console: Console, directory: Path) -> None:
        self._console = console
        self._directory = directory
        self._services: list[Service] = []

    async def start(self, service: Service) -> None:
        self._services.append(service)
        await service.start(self._directory)

    async def step(self, service: Service) -> None:
        """Run the service to its end. Raises ``DemoFailed`` unless its exit status is 0."""
        await self.start(service)
        if status := await service.ended():
            raise DemoFailed(f"{service.name} failed ({status_text(status)}).")
        self._services.remove(service)

    async def first_end(self) -> tuple[Service, int]:
        """The service that ends first, and its exit status."""
        waiting = {asyncio.create_task(service.ended()): service for service in self._services}
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        first = done.pop()
        return waiting[first], first.result()

    def kill(self) -> None:
        """Kill all processes at once."""
        for service in self._services:
            service.kill()

    async def __aenter__(self) -> Self:
        adopt_orphans()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        descendants = set(psutil.Process().children(recursive=True))
        await asyncio.gather(*(service.end() for service in self._services[1:]))
        for service in self._services[:1]:
            await service.end()
        await self._sweep(descendants)

    async def _sweep(self, known: set[psutil.Process]) -> None:
        """Keepers end the runs of a worker that has ended. After some seconds, remaining processes are killed."""
        if left := await _until_gone(known):
            self._console.say(f"Killed remaining processes: {', '.join(str(process.pid) for process in left)}")
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            await _until_gone(known)


async def _until_gone(known: set[psutil.Process]) -> list[psutil.Process]:
    """Wait some seconds until all have ended. Returns those that have not."""
    until = time.monotonic() + SWEEP_SECONDS
    while (left := alive(known)) and time.monotonic() < until:
        await asyncio.sleep(0.05)
    return left


def adopt_orphans() -> None:
    """Make orphaned descendants children of this process. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def alive(known: set[psutil.Process]) -> list[psutil.Process]:
    """The processes of ``known`` and all descendants of this process that are alive. Reaps zombies."""
    processes = known | set(psutil.Process().children(recursive=True))
    return [process for process in psutil.wait_procs(processes, timeout=0)[1] if not is_dead(process)]


def is_dead(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def status_text(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"signal {-status}"

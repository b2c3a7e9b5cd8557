"""Sockets, pipes, selectors, polls, events and conditions of the simulated world."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

from tests.simulation.conditions import INFINITY
from tests.simulation.processes import Process, Thread
from tests.simulation.world import active

CAPACITY = 64 * 1024
_numbers = itertools.count(10_000)
open_files: dict[int, End] = {}


def reset() -> None:
    global _numbers
    open_files.clear()
    _numbers = itertools.count(10_000)


class End:
    """One end of a stream socket or of a pipe."""

    def __init__(self, owner: Process | None = None) -> None:
        self.number = next(_numbers)
        self.peer: End | None = None
        self.data = bytearray()
        self.closed = False
        self.ended = False  # the other side is closed
        self.waiters: set[Thread] = set()
        self.holders: set[Process] = set()
        open_files[self.number] = self
        if owner is not None:
            self.belongs_to(owner)

    def belongs_to(self, *owners: Process) -> None:
        """It is closed when the last of these processes has died or has let it go."""
        for owner in owners:
            self.holders.add(owner)
            owner.at_death.append(partial(self.let_go, owner))

    def let_go(self, owner: Process) -> None:
        self.holders.discard(owner)
        if not self.holders:
            self.close_now()

    def fileno(self) -> int:
        return self.number

    def setblocking(self, flag: bool) -> None:
        """Nothing here blocks but waiting."""

    @property
    def readable(self) -> bool:
        return bool(self.data) or self.ended

    @property
    def has_room(self) -> bool:
        return self.peer is not None and not self.closed and len(self.peer.data) < CAPACITY

    def recv(self, size: int) -> bytes:
        active().check_alive()
        if not self.data:
            if self.ended:
                return b""
            raise BlockingIOError
        data = bytes(self.data[:size])
        del self.data[:size]
        return data

    def send(self, data: Any) -> int:
        active().check_alive()
        if self.peer is None or self.peer.closed or self.closed:
            raise BrokenPipeError
        self.peer.data += data
        self.peer.signal()
        return len(data)

    def close(self) -> None:
        active().check_alive()
        self.close_now()

    def close_now(self) -> None:
        """Also by the kernel, when its owner dies."""
        if not self.closed:
            self.closed = True
            open_files.pop(self.number, None)
            if self.peer is not None:
                self.peer.ended = True
                self.peer.signal()

    def signal(self) -> None:
        for thread in sorted(self.waiters, key=lambda thread: thread.process.pid):
            active().wake(thread)
        self.waiters.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def pair() -> tuple[End, End]:
    near, far = End(), End()
    near.peer, far.peer = far, near
    return near, far


def socketpair() -> tuple[End, End]:
    """Both ends in one process."""
    near, far = pair()
    near.belongs_to(active().process)
    far.belongs_to(active().process)
    return near, far


def wait_until(ready: Callable[[], Any], add: Callable[[Thread], None], seconds: float | None) -> Any:
    """Block until ``ready``; ``add`` registers the thread where a change wakes it. Returns what ``ready`` returns."""
    world = active()
    world.check_alive()
    until = INFINITY if seconds is None else world.process.host.boot() + seconds
    while not (value := ready()):
        left = until - world.process.host.boot()
        if left <= 0:
            break
        add(world.thread)
        world.block(None if left == INFINITY else left)
    return value


def _wait(ends: Sequence[End], seconds: float | None) -> list[End]:
    thread = active().thread

    def add(waiter: Thread) -> None:
        for end in ends:
            end.waiters.add(waiter)

    ready: list[End] = wait_until(lambda: [end for end in ends if end.readable], add, seconds)
    for end in ends:
        end.waiters.discard(thread)
    return ready


class _Key:
    def __init__(self, end: End, data: Any) -> None:
        self.end, self.data = end, data


def _number(file: Any) -> int:
    number: int = file if isinstance(file, int) else file.fileno()
    return number


class Selector:
    def __init__(self) -> None:
        self.keys: dict[int, _Key] = {}

    def register(self, file: Any, events: int, data: Any = None) -> None:
        self.keys[_number(file)] = _Key(open_files[_number(file)], data)

    def unregister(self, file: Any) -> None:
        del self.keys[_number(file)]

    def select(self, timeout: float | None = None) -> list[tuple[_Key, int]]:
        active().block(0.0)
        ready = _wait([key.end for key in self.keys.values()], timeout)
        return [(key, 1) for key in self.keys.values() if key.end in ready]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.keys.clear()


class Poll:
    def __init__(self) -> None:
        self.ends: dict[int, End] = {}

    def register(self, file: Any, events: int = 1) -> None:
        self.ends[_number(file)] = open_files[_number(file)]

    def unregister(self, file: Any) -> None:
        del self.ends[_number(file)]

    def poll(self, millis: float | None = None) -> list[tuple[int, int]]:
        if millis != 0:
            active().block(0.0)
        ready = _wait(list(self.ends.values()), None if millis is None else millis / 1000)
        return [(end.number, 1) for end in ready]


class Event:
    """`threading.Event`."""

    def __init__(self) -> None:
        self._set = False
        self._waiters: list[Thread] = []

    def set(self) -> None:
        self._set = True
        for thread in self._waiters:
            active().wake(thread)
        self._waiters = []

    def wait(self, timeout: float | None = None) -> bool:
        return bool(wait_until(lambda: self._set, self._waiters.append, timeout))


class Condition:
    """`threading.Condition`. Its lock is never contended: inside it a thread blocks only by `wait`."""

    def __init__(self) -> None:
        self._waiters: list[Thread] = []

    def __enter__(self) -> Self:
        active().check_alive()
        return self

    def __exit__(self, *_: object) -> None:
        """The lock is free already."""

    def notify(self) -> None:
        if self._waiters:
            active().wake(self._waiters.pop(0))

    def wait(self, timeout: float | None = None) -> bool:
        thread = active().thread
        self._waiters.append(thread)
        woken = active().block(timeout)
        if thread in self._waiters:
            self._waiters.remove(thread)
        return bool(woken)


class StartedThread:
    """`threading.Thread`, as the reporter starts one."""

    def __init__(self, target: Callable[[], Any], name: str = "", daemon: bool = True) -> None:
        self._target = target

    def start(self) -> None:
        active().process.start(self._target)

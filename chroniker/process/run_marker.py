"""The mark of a run on its processes: `CHRONIKER_RUN_ID` in the environment they were started with.

It finds the processes of a run whose keeper and fork server were both killed. It does not find processes that cleared
their environment, or that belong to another user.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from uuid import UUID

from chroniker.process import process_tree
from chroniker.process.kernel import LINUX, host_clock, read_file
from chroniker.process.run_spec import RUN_ID

#: As long as any run's id. Keepers and fork servers start with it, so that their forks can write theirs over it.
PLACEHOLDER_ID = str(UUID(int=0))

_ENV_START = 49 - 2  # field of /proc/self/stat, counted from 0 after the name
_SWEEP_TIMEOUT = 10.0
_QUIET_SCANS = 6


def write_marker(run_id: UUID) -> bool:
    """Write the run's id over the placeholder in this process's first environment, which other processes see.

    Other processes see the environment at the start of the program, not later changes of `os.environ`. False when
    the placeholder is not there (a library that rewrites the process title may have used its room).
    """
    if not LINUX:
        return False
    old, new = _entry(PLACEHOLDER_ID), _entry(str(run_id))
    offset = read_file("/proc/self/environ").find(old)
    stat = read_file("/proc/self/stat")
    address = int(stat[stat.rindex(b")") + 2 :].split()[_ENV_START]) + offset
    if offset < 0 or ctypes.string_at(address, len(old)) != old:
        return False
    ctypes.memmove(address, new, len(new))
    return True


def _entry(run_id: str) -> bytes:
    return f"{RUN_ID}={run_id}\0".encode()


def find_marked_processes(run_id: UUID) -> Iterator[int]:
    """The living processes of this run that still have its mark.

    Newest first, and each as soon as it is found: a process that forks and ends all the time exists only for a moment.
    """
    if LINUX:
        pids = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)  # noqa: PTH208
        entry = _entry(str(run_id))
        yield from (pid for pid in pids if pid != os.getpid() and _has_marker(pid, entry))


def _has_marker(pid: int, entry: bytes) -> bool:
    try:
        environment = b"\0" + read_file(f"/proc/{pid}/environ")
    except OSError:
        return False  # it has ended, or belongs to another user
    return b"\0" + entry in environment and process_tree.state(pid) not in ("", "Z")


def kill_marked_processes(run_id: UUID, keeper: int = 0) -> list[process_tree.Survivor]:
    """Kill the remaining processes of a run, and wait for their end; returns those that live after some seconds.

    For a run whose keeper is dead or no longer works.
    """
    until = host_clock.monotonic() + _SWEEP_TIMEOUT
    if keeper:
        _sweep_below(keeper, until)
    quiet = 0
    dying: dict[int, process_tree.Survivor] = {}
    while quiet < _QUIET_SCANS:  # one scan may miss a process that forks all the time; several hardly do
        found = []
        for pid in find_marked_processes(run_id):
            process_tree.send(pid, signal.SIGSTOP)
            found.append(pid)
        dying |= {pid: process_tree.Survivor.of(pid) for pid in process_tree.stop_walk(found)}
        # A process that is ending shows its mark no more, and may hold its files and locks for a moment longer.
        dying = {pid: process for pid, process in dying.items() if process.is_alive}
        for pid in dying:
            process_tree.send(pid, signal.SIGKILL)
        quiet = 0 if found or dying else quiet + 1
        if host_clock.monotonic() > until:
            return list(dying.values())
        host_clock.sleep(0.002)
    return []


def _sweep_below(keeper: int, until: float) -> None:
    """Kill the keeper last: while it lives, even stopped, processes that lose their parent become its children.

    A stopped keeper collects no child, so dead ones stay listed; they are left out. The newest come first: a process
    that forks and ends all the time is found only there. A new one may have left a child that is not listed yet.
    """
    process_tree.send(keeper, signal.SIGSTOP)
    dead: set[int] = set()
    while host_clock.monotonic() < until:
        seen = process_tree.stop_walk([pid for pid in reversed(process_tree.children(keeper)) if pid not in dead])
        if not seen:
            break
        for pid in seen:
            process_tree.send(pid, signal.SIGKILL)
        dead.update(pid for pid in seen if process_tree.state(pid) in ("", "Z"))
    process_tree.send(keeper, signal.SIGKILL)

"""The mark of a run on its processes: `CHRONIKER_RUN_ID` in the environment at their start.

The mark is used to find the processes of a run whose keeper and fork server were both killed. Processes that cleared
their environment, or that belong to another user, are not found.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from uuid import UUID

from chroniker.process import process_tree
from chroniker.process.kernel import IS_LINUX, host_clock, read_proc_file
from chroniker.process.run_spec import RUN_ID_VARIABLE

#: It has the length of a run's id. Keepers and fork servers start with it, and their forks overwrite it.
PLACEHOLDER_RUN_ID = str(UUID(int=0))

_ENV_START_FIELD_INDEX = 49 - 2  # field of /proc/self/stat, counted from 0 after the name
_MARKED_PROCESS_KILL_TIMEOUT = 10.0
_REQUIRED_EMPTY_SCANS = 6


def write_run_marker(run_id: UUID) -> bool:
    """Write the run's id over the placeholder in this process's first environment, which other processes see.

    Other processes see the environment at the start of the program, not later changes of `os.environ`. False when
    the placeholder is not there (a library that rewrites the process title may have overwritten it).
    """
    if not IS_LINUX:
        return False
    old, new = _environment_entry(PLACEHOLDER_RUN_ID), _environment_entry(str(run_id))
    offset = read_proc_file("/proc/self/environ").find(old)
    stat = read_proc_file("/proc/self/stat")
    address = int(stat[stat.rindex(b")") + 2 :].split()[_ENV_START_FIELD_INDEX]) + offset
    if offset < 0 or ctypes.string_at(address, len(old)) != old:
        return False
    ctypes.memmove(address, new, len(new))
    return True


def _environment_entry(run_id: str) -> bytes:
    return f"{RUN_ID_VARIABLE}={run_id}\0".encode()


def find_marked_processes(run_id: UUID) -> Iterator[int]:
    """The living processes of this run that still have its mark.

    The newest come first, and each is yielded as soon as it is found: a process that constantly forks and ends exists
    only for a moment.
    """
    if IS_LINUX:
        pids = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)  # noqa: PTH208
        entry = _environment_entry(str(run_id))
        yield from (pid for pid in pids if pid != os.getpid() and _has_marker(pid, entry))


def _has_marker(pid: int, entry: bytes) -> bool:
    try:
        environment = b"\0" + read_proc_file(f"/proc/{pid}/environ")
    except OSError:
        return False  # it has ended, or belongs to another user
    return b"\0" + entry in environment and process_tree.process_state(pid) not in ("", "Z")


def kill_processes_with_run_marker(run_id: UUID, keeper_pid: int = 0) -> list[process_tree.SurvivingProcess]:
    """Kill the remaining processes of a run, and wait for their end; returns those that live after some seconds.

    For a run whose keeper is dead or no longer works.
    """
    until = host_clock.monotonic() + _MARKED_PROCESS_KILL_TIMEOUT
    if keeper_pid:
        _kill_tree_of_keeper(keeper_pid, until)
    quiet = 0
    dying: dict[int, process_tree.SurvivingProcess] = {}
    # One scan may miss a process that forks constantly; several scans will find it almost certainly.
    while quiet < _REQUIRED_EMPTY_SCANS:
        found = []
        for pid in find_marked_processes(run_id):
            process_tree.send_signal(pid, signal.SIGSTOP)
            found.append(pid)
        dying |= {pid: process_tree.SurvivingProcess.of(pid) for pid in process_tree.suspend_process_trees(found)}
        # A process that is ending no longer shows its mark, but may still hold its files and locks for a moment.
        dying = {pid: process for pid, process in dying.items() if process.is_alive}
        for pid in dying:
            process_tree.send_signal(pid, signal.SIGKILL)
        quiet = 0 if found or dying else quiet + 1
        if host_clock.monotonic() > until:
            return list(dying.values())
        host_clock.sleep(0.002)
    return []


def _kill_tree_of_keeper(keeper_pid: int, until: float) -> None:
    """Kill the keeper last: while it lives, even stopped, processes that lose their parent become its children.

    A stopped keeper collects no child, so dead children stay in the list; they are skipped. The newest children come
    first: a process that constantly forks and ends is among them. It may have left a child that is not yet in the list.
    """
    process_tree.send_signal(keeper_pid, signal.SIGSTOP)
    dead: set[int] = set()
    while host_clock.monotonic() < until:
        seen = process_tree.suspend_process_trees(
            [pid for pid in reversed(process_tree.child_pids(keeper_pid)) if pid not in dead]
        )
        if not seen:
            break
        for pid in seen:
            process_tree.send_signal(pid, signal.SIGKILL)
        dead.update(pid for pid in seen if process_tree.process_state(pid) in ("", "Z"))
    process_tree.send_signal(keeper_pid, signal.SIGKILL)

"""Process trees: find all descendants of a process, and kill them.

A process group does not contain children that started their own session. A list of processes does not contain those
that are forked later. So the caller is a subreaper: a process that loses its parent becomes a child of the caller, and
is found in the next round. Without subreapers (systems other than Linux) only the command's process group is reached.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from chroniker.process.kernel import IS_LINUX, host_clock, read_proc_file

_MAX_LISTED_PROCESSES = 10_000  # a fork bomb: kill the listed processes, then list again
_MAX_KEPT_NAMES = 20
_START_TIME_FIELD_INDEX = 22 - 3  # field of /proc/PID/stat, counted from 0 after the name
_UNKILLABLE_PROCESS_TIMEOUT = 5.0


class SurvivingProcess(NamedTuple):
    """A process that could not be killed. Its start time distinguishes it from a later process with the same id."""

    pid: int
    start_time: str
    name: str

    @classmethod
    def of(cls, pid: int) -> SurvivingProcess:
        return cls(pid, _start_time(pid), process_name(pid))

    @property
    def is_alive(self) -> bool:
        return process_state(self.pid) not in ("", "Z") and _start_time(self.pid) == self.start_time


@dataclass(slots=True)
class KillResult:
    """The result of a kill: the number of processes, the first names, and the survivors: processes of another user."""

    count: int = 0
    names: list[str] = field(default_factory=list)
    survivors: list[SurvivingProcess] = field(default_factory=list)


@dataclass
class EndedChildren:
    """Collects ended children: the exit status of the command, and the resources that all of them used."""

    command_pid: int = 0
    status: int | None = None
    cpu_seconds: float = 0.0
    max_rss_kb: int = 0

    def reap(self) -> bool:
        """Collect every child that has ended; False when there is no child at all, alive or dead."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            self._add(pid, status, usage)

    def _add(self, pid: int, status: int, usage: resource.struct_rusage) -> None:
        if pid == self.command_pid:
            self.status = status
        self.cpu_seconds += usage.ru_utime + usage.ru_stime
        self.max_rss_kb = max(self.max_rss_kb, usage.ru_maxrss if IS_LINUX else usage.ru_maxrss // 1024)


class ChildEndWakeup:
    """For a process with one thread: it installs a handler for SIGCHLD, and Python's wake-up descriptor for signals."""

    def __init__(self) -> None:
        self._reading, writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(writing, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def fileno(self) -> int:
        return self._reading

    def clear(self) -> None:
        """Make the descriptor unreadable until the next child ends."""
        try:
            while len(os.read(self._reading, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass


def child_pids(pid: int) -> list[int]:
    """The direct children of all threads of a process. While the process runs, the answer may be out of date."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - see `read_proc_file`
    except OSError:
        return found  # the process has ended, or this is not Linux
    for thread in threads:
        try:
            found += [int(word) for word in read_proc_file(f"/proc/{pid}/task/{thread}/children").split()]
        except OSError:
            continue  # the thread, or the whole process, just ended
    return found


def descendant_pids(pid: int) -> Iterator[int]:
    """All processes below a process, parents before their children."""
    todo = child_pids(pid)
    while todo:
        yield todo[0]
        todo += child_pids(todo.pop(0))


def process_state(pid: int) -> str:
    """The state letter of a process: R, S, D, T (stopped), Z (ended, not collected); "" if it does not exist."""
    return next(iter(_stat_fields(pid)), "")


def _start_time(pid: int) -> str:
    """The start time, in clock ticks since this machine started; "" if the process does not exist."""
    return next(iter(_stat_fields(pid)[_START_TIME_FIELD_INDEX:]), "")


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; empty if the process does not exist."""
    try:
        stat = read_proc_file(f"/proc/{pid}/stat")
    except OSError:
        return []
    return stat[stat.rindex(b")") + 2 :].decode().split()


def process_name(pid: int) -> str:
    """The command line of a process, else its name; for messages."""
    try:
        words = read_proc_file(f"/proc/{pid}/cmdline")[:200]
        short = read_proc_file(f"/proc/{pid}/comm")
    except OSError:
        return f"process {pid}"
    return (words.replace(b"\0", b" ").strip() or short.strip()).decode(errors="replace")


def signal_descendants(number: int, *, process_group: int) -> None:
    """Send a signal to all processes below this one; on systems other than Linux, to the command's process group."""
    if not IS_LINUX:
        _signal_group(process_group, number)
        return
    for each in list(descendant_pids(os.getpid())):
        send_signal(each, number)


def send_signal(pid: int, number: int) -> bool:
    """Send a signal; False when the process belongs to another user. A process that has ended counts as reached."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def _signal_group(process_group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process_group, number)


def suspend_process_trees(roots: list[int]) -> list[int]:
    """Send SIGSTOP to each process, then to its children, and so on. Returns all processes that were found.

    A stopped parent collects no child, so the process ids below it stay valid until the kill.
    """
    seen: list[int] = []
    todo = list(roots)
    while todo and len(seen) < _MAX_LISTED_PROCESSES:
        pid = todo.pop(0)
        seen.append(pid)
        send_signal(pid, signal.SIGSTOP)
        todo += child_pids(pid)
    return seen


def kill_descendants(
    ended_children: EndedChildren, *, spared_pids: Collection[int] = (), process_group: int = 0
) -> KillResult:
    """Kill all processes below this one, except the spared children's trees, until none is left.

    Returns when the tree is dead, or when only processes of another user are left that could not be killed for some
    seconds; then the result names them. It kills after each search. It does not wait for a search that finds nothing
    new: a tree that continues its own stopped processes could delay such a search forever.
    """
    if not IS_LINUX:
        return _kill_group(ended_children, process_group)
    killed = KillResult()
    known: set[int] = set()
    until = host_clock.monotonic() + _UNKILLABLE_PROCESS_TIMEOUT
    for turn in range(1 << 62):
        more = ended_children.reap()
        roots = [pid for pid in child_pids(os.getpid()) if pid not in spared_pids]
        if not roots and (spared_pids or not more):  # (the list may miss a child that is just being forked)
            return killed
        refused = _kill_one_round(roots, known, killed)
        if refused and len(refused) >= len(roots) and host_clock.monotonic() > until:
            killed.survivors = [SurvivingProcess.of(pid) for pid in refused[:_MAX_KEPT_NAMES]]
            return killed
        if turn > 3:
            host_clock.sleep(0.0003 if turn < 300 else 0.02)
    raise AssertionError("unreachable")


def _kill_one_round(roots: list[int], known: set[int], killed: KillResult) -> list[int]:
    """Do one round: stop, list and kill. Returns the processes that this user may not kill."""
    seen = suspend_process_trees(roots)
    for pid in seen:
        if pid not in known and process_state(pid) not in ("", "Z"):
            known.add(pid)
            killed.count += 1
            if len(killed.names) < _MAX_KEPT_NAMES:
                killed.names.append(process_name(pid))
    return [pid for pid in seen if not send_signal(pid, signal.SIGKILL)]


def _kill_group(ended_children: EndedChildren, process_group: int) -> KillResult:
    killed = KillResult()
    if process_group and ended_children.status is None:
        killed.count, killed.names = 1, [f"process {process_group}"]
    while process_group and ended_children.reap() and ended_children.status is None:
        _signal_group(process_group, signal.SIGKILL)
        host_clock.sleep(0.005)
    if process_group:
        _signal_group(process_group, signal.SIGKILL)
    return killed

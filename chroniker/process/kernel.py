"""System calls that Python does not wrap, and the machine's clocks.

On a system without such a call the function returns False. Then the callers guarantee less (see `process_tree`).
"""

import ctypes
import functools
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

IS_LINUX = sys.platform == "linux"

_SET_DEATH_SIGNAL, _SET_NAME, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 15, 36, 38
_GET_CHILD_SUBREAPER = 37
_ARG_START_FIELD_INDEX = 48 - 3  # field of /proc/self/stat, counted from 0 after the name
_BOOT_CLOCK_ID = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_LIBC = ctypes.CDLL(None, use_errno=True) if IS_LINUX else None


class Clock:
    """The clocks of this machine. There is one instance, `host_clock`; a simulation replaces its methods."""

    def boot(self) -> float:
        """Seconds since this machine started, including time in suspension if the system counts it.

        This clock is the same in all processes of the machine, and cannot be set. It is used for leases and deadlines.
        """
        return time.clock_gettime(_BOOT_CLOCK_ID)

    def monotonic(self) -> float:
        """Seconds on a clock that stops while the machine is suspended. For timeouts between processes."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970. This clock can be set, so no decision uses it. For texts, and for times in ids."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


host_clock = Clock()


def boot_clock() -> float:
    """Short for `host_clock.boot()`."""
    return host_clock.boot()


@functools.cache
def boot_id() -> str:
    """An id that changes with each start of the machine; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _prctl(option: int, value: int) -> bool:
    if _LIBC is None:
        return False
    words = [ctypes.c_ulong(word) for word in (value, 0, 0, 0)]
    return bool(_LIBC.prctl(option, *words) == 0)


def become_subreaper() -> bool:
    """Make this process a subreaper: descendants whose parent dies become its children, instead of children of init."""
    return _prctl(_SET_CHILD_SUBREAPER, 1)


def has_subreapers() -> bool:
    """Whether `become_subreaper` can succeed. Changes nothing."""
    return _LIBC is not None and _LIBC.prctl(_GET_CHILD_SUBREAPER, ctypes.byref(ctypes.c_int())) == 0


def request_parent_death_signal(signal_number: int) -> bool:
    """Request a signal for the parent's death. The parent may be dead already: the caller checks `os.getppid()`."""
    return _prctl(_SET_DEATH_SIGNAL, signal_number)


def forbid_new_privileges() -> bool:
    """Let `exec` give no new privileges: set-user-id bits and file capabilities have no effect from now on."""
    return _prctl(_SET_NO_NEW_PRIVS, 1)


def set_process_name(name: str) -> None:
    """Set the name that `ps` and `top` show (15 bytes)."""
    if _LIBC is not None:
        _LIBC.prctl(_SET_NAME, ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)


def read_proc_file(path: str) -> bytes:
    """The content of a file of /proc. Raises OSError.

    Not by `pathlib`: a fork that uses it for the first time copies hundreds of memory pages of its parent.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def set_process_title(title: str) -> bool:
    """Set the command line that `ps` shows for this process and its forks, cut to the length of the present one.

    Returns False if the place of the command line in memory is not known.
    """
    if _LIBC is None:
        return False
    try:
        stat = read_proc_file("/proc/self/stat")
    except OSError:
        return False
    start, end = (
        int(word) for word in stat[stat.rindex(b")") + 2 :].split()[_ARG_START_FIELD_INDEX : _ARG_START_FIELD_INDEX + 2]
    )
    room = end - start
    if not start or room < 2:
        return False
    text = title.replace("\0", " ").encode("utf-8", "surrogateescape")[: room - 1]
    ctypes.memmove(start, text.ljust(room, b"\0"), room)
    return True


def raise_oom_score(points: int) -> None:
    """Let the kernel kill this process before the worker that supervises it, when memory runs out."""
    with suppress(OSError):  # not Linux, or the value is already higher: only a preference
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, b"%d" % points)
        finally:
            os.close(descriptor)


def list_open_descriptors() -> list[int]:
    """The numbers of this process's open files."""
    return [int(name) for name in os.listdir("/proc/self/fd" if IS_LINUX else "/dev/fd")]  # noqa: PTH208 - see `read_proc_file`


def close_descriptors_except(keep: frozenset[int]) -> None:
    """Close every descriptor above 2, except those in `keep`."""
    for descriptor in list_open_descriptors():
        if descriptor > 2 and descriptor not in keep:
            with suppress(OSError):  # the descriptor with which the list was read
                os.close(descriptor)

"""The few system calls that Python does not wrap, and the clock that leases are measured by.

On a system without them each says so by its return value; the callers then do with less (see `process_tree`).
"""

import ctypes
import functools
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

LINUX = sys.platform == "linux"

_SET_DEATH_SIGNAL, _SET_NAME, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 15, 36, 38
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_LIBC = ctypes.CDLL(None, use_errno=True) if LINUX else None


def boot_clock() -> float:
    """Seconds since this machine started, the time it was suspended included (where the system can tell).

    Comparable between processes of one machine, and nobody can set it.
    """
    return time.clock_gettime(_CLOCK)


@functools.cache
def boot_id() -> str:
    """Another one after each start of this machine; empty where the system does not tell."""
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
    """Descendants whose parent dies become children of this process, instead of init's."""
    return _prctl(_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signal_number: int) -> bool:
    """Ask for a signal when the parent dies. It may have died already: the caller looks at `os.getppid()` next."""
    return _prctl(_SET_DEATH_SIGNAL, signal_number)


def forbid_new_privileges() -> bool:
    """From here on no `exec` gains rights: set-user-id bits and file capabilities are without effect."""
    return _prctl(_SET_NO_NEW_PRIVS, 1)


def name_process(name: str) -> None:
    """The name that `ps` and `top` show (15 bytes)."""
    if _LIBC is not None:
        _LIBC.prctl(_SET_NAME, ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)


def offer_to_oom_killer(points: int) -> None:
    """When memory runs out, this process goes before the worker that supervises it."""
    with suppress(OSError):  # not Linux, or already higher than we may set: a preference, not a promise
        Path("/proc/self/oom_score_adj").write_text(str(points), encoding="ascii")


def open_descriptors() -> list[int]:
    """The numbers of this process's open files."""
    return [int(path.name) for path in Path("/proc/self/fd" if LINUX else "/dev/fd").iterdir()]


def close_descriptors(keep: frozenset[int]) -> None:
    """Close every descriptor above 2 that is not to be kept."""
    for descriptor in open_descriptors():
        if descriptor > 2 and descriptor not in keep:
            with suppress(OSError):  # the one that the listing itself had open
                os.close(descriptor)

"""A run's file lock in the runtime directory. It is held while a process of this host may be executing the run.

The supervisor takes it before it starts the run, and passes the open file to the keeper and to the keeper's parent. So
the lock is free only when all three have closed the file or ended, in any order. The kernel frees it at once. The
command does not inherit the file.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from chroniker.process import run_marker
from chroniker.process.kernel import host_clock
from chroniker.process.runtime_dir import ensure_private_directory

_LOCK_FILE_SUFFIX = ".lock"
_LOCK_FILE_KEPT_SECONDS = 86_400.0
_TAKE_LOCK_TIMEOUT = 0.2  # a tick that tests the lock holds it for microseconds


class RunLock:
    """A held lock. The context manager closes its file at the end; after an exception the keeper may still hold it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self.descriptor = descriptor

    @classmethod
    def take(cls, runtime_dir: Path, run_id: UUID) -> RunLock | None:
        """Take the lock. None: another process of this host holds it. Raises OSError if the file cannot be used."""
        ensure_private_directory(runtime_dir)
        path = _file_path(runtime_dir, run_id)
        until = host_clock.monotonic() + _TAKE_LOCK_TIMEOUT
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if _try_flock(descriptor, fcntl.LOCK_EX) and _is_same_file(path, descriptor):
                os.utime(descriptor)  # a sweeper that has handled this file before checks it again
                return cls(path, descriptor)
            os.close(descriptor)
            if host_clock.monotonic() > until:
                return None
            host_clock.sleep(0.01)

    def __enter__(self) -> RunLock:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:  # the tree is dead: the file is no longer needed
            self._path.unlink(missing_ok=True)
        os.close(self.descriptor)


def is_lock_held(runtime_dir: Path, run_id: UUID) -> bool | None:
    """Whether a process of this host may be executing the run. False: certainly no process.

    None: unknown, because the file does not exist or belongs to another user. The run may use another directory, or the
    host was restarted.
    """
    try:
        descriptor = os.open(_file_path(runtime_dir, run_id), os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return None
    try:
        return not _try_flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def kill_leftover_processes(
    runtime_dir: Path, *, already_swept: Mapping[UUID, float] | None = None, minimum_age: float = float("-inf")
) -> dict[UUID, float]:
    """Kill the remaining processes of runs whose supervisor and keeper are both dead. Returns those runs.

    Running runs are not touched. A run in `already_swept` is skipped, unless its lock was taken since (the values are
    the times at which the locks were taken). A lock file stays for a day, so that ticks see that the run is dead.
    Lock files younger than `minimum_age` are skipped: their owner may not have locked them yet.
    """
    swept = {}
    for path in sorted(runtime_dir.glob(f"*{_LOCK_FILE_SUFFIX}")):
        run_id, taken_at = _run_id_from(path), _lock_taken_at(path)
        if run_id is None or taken_at is None or (already_swept or {}).get(run_id) == taken_at:
            continue
        age = host_clock.wall() - taken_at
        if age < minimum_age or is_lock_held(runtime_dir, run_id):
            continue
        run_marker.kill_processes_with_run_marker(run_id)
        path.with_suffix(".sock").unlink(missing_ok=True)
        if age > _LOCK_FILE_KEPT_SECONDS:
            path.unlink(missing_ok=True)
        swept[run_id] = taken_at
    return swept


def _run_id_from(path: Path) -> UUID | None:
    try:
        return UUID(path.stem)
    except ValueError:
        return None  # another program's file


def _lock_taken_at(path: Path) -> float | None:
    """When the lock was taken last; None if the file was removed: its run has just ended."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _file_path(runtime_dir: Path, run_id: UUID) -> Path:
    return runtime_dir / f"{run_id.hex}{_LOCK_FILE_SUFFIX}"


def _try_flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same_file(path: Path, descriptor: int) -> bool:
    """Whether the path still names the opened file: the previous owner may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False

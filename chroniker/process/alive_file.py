"""Files from which probes see that a long-running process works: its loop writes the time. Standard library only.

A file is `alive/KIND-PID` in the runtime directory. It holds the boot clock, which cannot be set, and the boot's id, so
that a file from before a restart of the machine counts as old. Writing and reading it need no database.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chroniker.process import runtime_dir
from chroniker.process.kernel import boot_clock, boot_id

logger = logging.getLogger(__name__)

#: The kinds of processes that write such a file.
PROCESS_KINDS = ("beat", "cronserver", "worker")
#: A loop should run at least once in this time. It writes its file at most twice in this time.
LOOP_INTERVAL_SECONDS = 5.0
#: Files of processes that were killed are deleted after this time.
MAX_ALIVE_FILE_AGE_SECONDS = 3600.0
_FOLDER_NAME = "alive"


class AliveFile:
    """The file of this process. No method raises: a full disk must not stop a scheduler."""

    def __init__(self, kind: str, get_directory: Callable[[], Path]) -> None:
        """``kind``: one of ``PROCESS_KINDS``. ``get_directory``: called at the first write; it returns the runtime
        directory."""
        self._kind, self._get_directory = kind, get_directory
        self._path: Path | None = None
        self._written_at = float("-inf")
        self._has_failed = False

    def touch(self) -> None:
        """Write the time, unless it was written within the last seconds."""
        now = boot_clock()
        if now - self._written_at < LOOP_INTERVAL_SECONDS / 2:
            return
        self._written_at = now
        try:
            self._write_time(now)
            self._has_failed = False
        except OSError as error:
            if not self._has_failed:
                logger.warning("Probes will not see that this process works: %s", error)
            self._has_failed = True

    def _write_time(self, now: float) -> None:
        if self._path is None:
            directory = self._get_directory()
            runtime_dir.ensure_private_directory(directory)
            path = directory / _FOLDER_NAME / f"{self._kind}-{os.getpid()}"
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _delete_old_files(path.parent)
            self._path = path
        # One write, of a text that always has the same length: a reader never sees only a part of it.
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(file, f"{now:020.3f} {boot_id()}\n".encode(), 0)
        finally:
            os.close(file)

    def remove(self) -> None:
        """Delete the file, because the process ends normally."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()


def seconds_since_last_loop(directory: Path, kind: str = "") -> dict[str, float]:
    """Seconds since the last loop of each process of this kind (default: of all), by the name of its file."""
    found = {}
    for path in (directory / _FOLDER_NAME).glob(f"{kind}-*" if kind else "*"):
        with suppress(OSError, ValueError):
            written, _space, boot = path.read_text(encoding="ascii").strip().partition(" ")
            age = boot_clock() - float(written)
            found[path.name] = age if boot == boot_id() and age >= 0 else float("inf")
    return found


def _delete_old_files(folder: Path) -> None:
    for name, age in seconds_since_last_loop(folder.parent).items():
        if age > MAX_ALIVE_FILE_AGE_SECONDS:
            with suppress(OSError):
                (folder / name).unlink()

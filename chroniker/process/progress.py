"""The progress of a command: two numbers in memory that it shares with its supervisor.

Writing takes microseconds, never blocks and needs no database. Each record has a checksum. So a record
that is read during a write, or whose write was interrupted by a kill, is recognised and never shown.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chroniker.process.run_spec import PROGRESS_FILE_VARIABLE

_MAGIC = b"chroniker progress\0\0"
_RECORD_STRUCT = struct.Struct("<qqI")
_FILE_SIZE_BYTES = len(_MAGIC) + _RECORD_STRUCT.size
_MAX_NUMBER = 2**63 - 1
_MAX_READS = 5

_shared: mmap.mmap | None = None
_is_attach_tried = False


def create_shared_memory() -> int:
    """Create shared memory; returns its descriptor, which the caller closes."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("chroniker-progress", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    else:
        descriptor, path = tempfile.mkstemp(prefix="chroniker-progress-")
        os.unlink(path)  # noqa: PTH108 - the name was only needed to open it
    os.write(descriptor, _MAGIC + bytes(_RECORD_STRUCT.size))
    if hasattr(fcntl, "F_ADD_SEALS"):  # no process can shorten it while another reads it
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return descriptor


def read_progress_record(descriptor: int) -> tuple[int, int] | None:
    """(total, complete); None if nothing, or only a part of a record, has been written."""
    for _ in range(_MAX_READS):
        record = os.pread(descriptor, _RECORD_STRUCT.size, len(_MAGIC))
        if len(record) == _RECORD_STRUCT.size:
            total, complete, checksum = _RECORD_STRUCT.unpack(record)
            if checksum == zlib.crc32(record[:16]):
                return total, complete
    return None


def attach_shared_memory(descriptor: int) -> None:
    """Make this process and its forks write their progress here. Does nothing for any other kind of file.

    The memory stays shared when the descriptor is closed: commands that become daemons close all their descriptors.
    """
    global _shared, _is_attach_tried
    _is_attach_tried = True
    if os.fstat(descriptor).st_size != _FILE_SIZE_BYTES:
        return
    memory = mmap.mmap(descriptor, _FILE_SIZE_BYTES)
    if memory[: len(_MAGIC)] == _MAGIC:
        _shared = memory


@contextmanager
def capture_progress() -> Iterator[Callable[[], tuple[int, int] | None]]:
    """Let this process write its progress to separate memory within this block. Yields a function that reads it."""
    global _shared, _is_attach_tried
    before = _shared, _is_attach_tried
    descriptor = create_shared_memory()
    try:
        attach_shared_memory(descriptor)
        yield lambda: read_progress_record(descriptor)
    finally:
        _shared, _is_attach_tried = before
        os.close(descriptor)


def write_progress_record(total: int, complete: int) -> None:
    """Write the progress of this run. Does nothing outside a run."""
    if not _is_attach_tried:
        _attach_from_environment()
    if _shared is None:
        return
    numbers = [min(max(int(number), 0), _MAX_NUMBER) for number in (total, complete)]
    body = struct.pack("<qq", *numbers)
    _shared[len(_MAGIC) :] = body + zlib.crc32(body).to_bytes(4, "little")


def _attach_from_environment() -> None:
    """Attach the memory that the environment names, in programs that a raw command or a child started."""
    global _is_attach_tried
    _is_attach_tried = True
    path = os.environ.get(PROGRESS_FILE_VARIABLE)
    if not path:
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return  # the run is over, or belongs to another user
    try:
        attach_shared_memory(descriptor)
    finally:
        os.close(descriptor)

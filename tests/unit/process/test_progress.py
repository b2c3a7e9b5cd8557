"""Progress is in shared memory: the newest record counts, an incomplete record is never read."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chroniker.process import progress


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(progress, "_shared", None)
    monkeypatch.setattr(progress, "_is_attach_tried", False)
    monkeypatch.delenv("CHRONIKER_PROGRESS", raising=False)
    descriptor = progress.create_shared_memory()
    yield descriptor
    os.close(descriptor)


def test_an_empty_record_is_no_progress(shared: int) -> None:
    assert progress.read_progress_record(shared) is None


def test_the_newest_numbers_are_read(shared: int) -> None:
    progress.attach_shared_memory(shared)
    for part in range(5):
        progress.write_progress_record(77, part)
    assert progress.read_progress_record(shared) == (77, 4)


def test_reporting_progress_outside_a_run_does_nothing(shared: int) -> None:
    progress.write_progress_record(77, 1)
    assert progress.read_progress_record(shared) is None


@pytest.mark.parametrize(("given", "kept"), [((-3, -1), (0, 0)), ((2**80, 2**80), (2**63 - 1, 2**63 - 1))])
def test_numbers_out_of_range_are_limited(shared: int, given: tuple[int, int], kept: tuple[int, int]) -> None:
    progress.attach_shared_memory(shared)
    progress.write_progress_record(*given)
    assert progress.read_progress_record(shared) == kept


def test_an_incomplete_record_is_not_read(shared: int) -> None:
    progress.attach_shared_memory(shared)
    progress.write_progress_record(77, 13)
    os.pwrite(shared, b"\xff", len(progress._MAGIC) + 3)
    assert progress.read_progress_record(shared) is None
    progress.write_progress_record(77, 14)
    assert progress.read_progress_record(shared) == (77, 14)


def test_a_reader_never_sees_parts_of_two_records(shared: int) -> None:
    progress.attach_shared_memory(shared)
    done = threading.Event()

    def write_all_the_time() -> None:
        number = 0
        while not done.is_set():
            number = (number + 0x0101010101) % 2**60
            progress.write_progress_record(number, number)

    writers = [threading.Thread(target=write_all_the_time) for _ in range(2)]
    for writer in writers:
        writer.start()
    seen = {progress.read_progress_record(shared) for _ in range(20_000)} - {None}
    done.set()
    for writer in writers:
        writer.join()
    assert seen
    assert all(pair[0] == pair[1] for pair in seen if pair)


def test_the_progress_file_survives_closing_its_descriptor(shared: int) -> None:
    copy = os.dup(shared)
    progress.attach_shared_memory(copy)
    os.close(copy)
    progress.write_progress_record(3, 2)
    assert progress.read_progress_record(shared) == (3, 2)


def test_another_file_with_the_same_descriptor_is_not_changed(shared: int, tmp_path: Path) -> None:
    other = tmp_path / "precious"
    other.write_bytes(b"x" * os.fstat(shared).st_size)
    with other.open("r+b") as file:
        progress.attach_shared_memory(file.fileno())
        progress.write_progress_record(3, 2)
    assert other.read_bytes() == b"x" * os.fstat(shared).st_size


@pytest.mark.skipif(sys.platform != "linux", reason="shared by way of /proc")
def test_a_child_process_finds_the_progress_file_by_its_environment(shared: int) -> None:
    code = "from chroniker.process import progress; progress.write_progress_record(9, 8)"
    env = {**os.environ, "CHRONIKER_PROGRESS": f"/proc/{os.getpid()}/fd/{shared}"}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert progress.read_progress_record(shared) == (9, 8)

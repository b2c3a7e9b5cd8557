"""The shutdown notice of a worker reaches its own process and processes forked before the notice."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from chroniker.process.kernel import boot_clock
from chroniker.worker.shutdown_notice import ShutdownNotice


@pytest.fixture
def notice() -> Iterator[ShutdownNotice]:
    made = ShutdownNotice()
    yield made
    made.close()


def test_nothing_is_stopped_before_the_notice(notice: ShutdownNotice) -> None:
    assert not notice.is_announced
    assert notice.stop_at == float("inf")


def test_a_notice_without_a_grace_prevents_starts_and_stops_nothing(notice: ShutdownNotice) -> None:
    notice.announce(None)
    assert notice.is_announced
    assert notice.stop_at == float("inf")


def test_a_second_shutdown_notice_does_not_change_the_first(notice: ShutdownNotice) -> None:
    before = boot_clock()
    notice.announce(100.0)
    notice.announce(0.0)
    assert before + 100 <= notice.stop_at <= boot_clock() + 100


def test_a_process_forked_before_receives_the_notice(notice: ShutdownNotice) -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.read(reading, 1)  # until the notice was given
        os._exit(0 if notice.is_announced and notice.stop_at < boot_clock() + 100 else 1)
    notice.announce(50.0)
    os.write(writing, b"!")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(reading)
    os.close(writing)

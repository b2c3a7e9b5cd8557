"""That a worker ends is heard in its own process and in those that it forked before it knew."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from chroniker.process.kernel import boot_clock
from chroniker.worker.shutdown_notice import ShutdownNotice


@pytest.fixture
def farewell() -> Iterator[ShutdownNotice]:
    made = ShutdownNotice()
    yield made
    made.close()


def test_nothing_is_stopped_before_the_notice(farewell: ShutdownNotice) -> None:
    assert not farewell.announced
    assert farewell.stop_at == float("inf")


def test_a_notice_without_a_grace_prevents_starts_and_stops_nothing(farewell: ShutdownNotice) -> None:
    farewell.announce(None)
    assert farewell.announced
    assert farewell.stop_at == float("inf")


def test_the_first_notice_counts(farewell: ShutdownNotice) -> None:
    before = boot_clock()
    farewell.announce(100.0)
    farewell.announce(0.0)
    assert before + 100 <= farewell.stop_at <= boot_clock() + 100


def test_a_process_forked_before_receives_the_notice(farewell: ShutdownNotice) -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.read(reading, 1)  # until it was said
        os._exit(0 if farewell.announced and farewell.stop_at < boot_clock() + 100 else 1)
    farewell.announce(50.0)
    os.write(writing, b"!")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(reading)
    os.close(writing)

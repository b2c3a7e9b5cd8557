"""``chroniker-alive cronserver``: while the process works, also without its database."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chroniker.models import Host
from tests.support import databases
from tests.support.alive_program import short_directory, status_of
from tests.support.manage import Manage
from tests.support.processes import wait_until
from tests.support.servers import FaultProxy, Mode

pytestmark = pytest.mark.django_db(transaction=True)

#: Longer than a loop takes on a busy machine, and short for a test.
MAX_AGE = 12.0


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


def test_a_frozen_cronserver_is_noticed_and_one_that_ended_leaves_no_file(manage: Manage, directory: Path) -> None:
    assert status_of("cronserver", directory, MAX_AGE) == 1
    with manage.having(CHRONIKER_RUNTIME_DIR=str(directory)).process("cronserver", "3600") as server:
        wait_until(lambda: status_of("cronserver", directory, MAX_AGE) == 0, what="alive")
        wait_until(lambda: not server.running() or Host.objects.exists(), what="the first pass")
        server.kill(signal.SIGSTOP)
        wait_until(lambda: status_of("cronserver", directory, MAX_AGE) == 1, what="noticed")
        server.kill(signal.SIGCONT)
        wait_until(lambda: status_of("cronserver", directory, MAX_AGE) == 0, what="alive, between ticks an hour apart")
        server.kill(signal.SIGTERM)
        assert server.wait() == 0
    assert list((directory / "alive").iterdir()) == []


@pytest.mark.database("postgres", "mariadb")
def test_a_cronserver_whose_database_is_away_is_alive(manage: Manage, directory: Path) -> None:
    with FaultProxy(int(databases.configuration()["PORT"])) as proxy:
        manage.env["CHRONIKER_TEST_DB_PORT"] = str(proxy.port)  # type: ignore[index]
        with manage.having(CHRONIKER_RUNTIME_DIR=str(directory)).process("cronserver", "0.2") as server:
            wait_until(Host.objects.exists, what="the first pass")
            proxy.set(Mode.RESET)
            wait_until(lambda: "cannot be used" in server.log)
            [file] = (directory / "alive").iterdir()
            for _each in range(3):  # the back-off grows to longer than the age that is allowed here
                before = file.read_text()
                wait_until(lambda before=before: file.read_text() != before, what="touched")  # type: ignore[misc]
                assert status_of("cronserver", directory, MAX_AGE) == 0
            assert "can be used again" not in server.log

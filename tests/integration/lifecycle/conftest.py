"""Fixtures of several modules. They import models late: pytest may load this file before Django is set up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.signals import setting_changed
from django.test import override_settings

from chroniker.clock import database_clock, simulated_time

if TYPE_CHECKING:
    from tests.integration.lifecycle.clock_jumps import Jump
    from tests.support.alert_clock import AlertClock


@pytest.fixture(autouse=True)
def _dummy(dummy: object) -> None:
    """All tests of this folder use the dummy executor."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertClock]:
    from tests.support.alert_clock import START, AlertClock, record_events

    clock = AlertClock()
    record_events(monkeypatch, clock)
    with simulated_time.simulate_time(), override_settings(CHRONIKER_LOCK_TIMEOUT=86_400):
        simulated_time.set_simulated_time(START)
        yield clock


@pytest.fixture
def live_hosts(dummy: object) -> None:
    """Hosts that execute runs, and one that only ticks."""
    from chroniker.eligibility import hosts
    from tests.integration.lifecycle.child_runs import NAMES

    for name in NAMES:
        hosts.record_heartbeat(["default"], host_name=name)
    hosts.record_heartbeat(host_name="only ticks")


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[None]:
    """A runtime directory of its own, in which nothing knows the clock yet."""
    with override_settings(CHRONIKER_RUNTIME_DIR=tmp_path / "run", CHRONIKER_HOSTNAME="here"):
        yield


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Iterator[Jump]:
    """Set the offset of the database's clock, in seconds from its true time."""
    now, later = dict(database_clock._NOW_SQL), dict(database_clock._NOW_PLUS_SECONDS_SQL)
    offset: list[float] = []  # the value of a setting, so that statements with another clock are compiled anew

    def jump(seconds: float) -> None:
        by = f"{seconds:+f}"
        monkeypatch.setitem(database_clock._NOW_SQL, "postgresql", f"({now['postgresql']} + interval '{by} s')")
        monkeypatch.setitem(
            database_clock._NOW_PLUS_SECONDS_SQL, "postgresql", f"({later['postgresql']} + interval '{by} s')"
        )
        monkeypatch.setitem(database_clock._NOW_SQL, "mysql", f"({now['mysql']} + INTERVAL {by} SECOND)")
        monkeypatch.setitem(database_clock._NOW_PLUS_SECONDS_SQL, "mysql", f"({later['mysql']} + INTERVAL {by} SECOND)")
        for templates, before in ((database_clock._NOW_SQL, now), (database_clock._NOW_PLUS_SECONDS_SQL, later)):
            monkeypatch.setitem(templates, "sqlite", before["sqlite"].replace("'now'", f"'now', '{by} seconds'"))
        offset[:] = [seconds]
        setting_changed.send(None, setting="CHRONIKER_TEST_CLOCK_OFFSET", value=offset, enter=True)

    with override_settings(CHRONIKER_TEST_CLOCK_OFFSET=offset):
        yield jump


@pytest.fixture
def prepared_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    from chroniker.clock import jump_detection
    from chroniker.models import prepared
    from chroniker.reasons import NO_REASON

    monkeypatch.setattr(prepared._sessions, "enabled", True)  # the first states meet it unprepared, the others prepared
    assert jump_detection.read_clock().suspended_because == NO_REASON

"""Fixtures of several modules. They import models late: pytest may load this file before Django is set up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings


@pytest.fixture
def healthy(tmp_path: Path) -> Iterator[None]:
    """An installation without problems; each test adds one."""
    from chroniker.clock.database_clock import database_now
    from chroniker.models import Host, Ticker
    from tests.support.command_jobs import DUMMY

    Host.objects.create(name="here", last_seen=database_now(), clock_skew_seconds=0.01)
    values = {"version": "2", "pid": 1, "period": 5, "pass_seconds": 0.1}
    Ticker.objects.create(host="here", kind="beat", last_at=database_now(), **values)
    own = {"CHRONIKER_EXECUTORS": DUMMY, "CHRONIKER_RUNTIME_DIR": str(tmp_path / "runtime")}
    with override_settings(ADMINS=[("Ann", "ann@example.com")], **own):
        yield

"""Settings for the workers and beats of one test: short leases, a private runtime directory, a broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from tests.support.brokers import Broker
from tests.support.processes import with_settings

#: Seconds: long enough for a busy machine; short for tests that kill processes.
LEASE, SHORT_LEASE = 60, 12

#: Seconds within which a broker that works answers, also on a busy machine.
TIMEOUT = 60

EXECUTORS = {
    "default": {
        "BACKEND": "chroniker_celery.executor.CeleryExecutor",
        "OPTIONS": {"app": "tests.celeryapp:app", "timeout": TIMEOUT},
    }
}


@pytest.fixture
def lease(request: pytest.FixtureRequest) -> float:
    """The lock timeout in seconds; a test can parametrize it."""
    return float(getattr(request, "param", LEASE))


@pytest.fixture
def settings_of_all(tmp_path: Path, lease: float, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Settings of this process and of the processes that it starts. Runs that a test claims are sent in any case."""
    from chroniker.executors import base, executors

    values = {
        "CHRONIKER_EXECUTORS": EXECUTORS,
        "CHRONIKER_LOCK_TIMEOUT": lease,
        "CHRONIKER_STOP_GRACE_SECONDS": 2,
        "CHRONIKER_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    monkeypatch.setattr(base, "WAITING_PERSON_TIMEOUT_SECONDS", TIMEOUT)
    with override_settings(**values):
        yield values
    executors.close()


@pytest.fixture
def env(subprocess_env: dict[str, str], broker: Broker, settings_of_all: dict[str, Any]) -> dict[str, str]:
    """The environment for workers and beats; the test runs once on each broker."""
    return with_settings({**subprocess_env, **broker.environ()}, **settings_of_all)


@pytest.fixture
def redis_env(subprocess_env: dict[str, str], redis_broker: Broker, settings_of_all: dict[str, Any]) -> dict[str, str]:
    """Like ``env``, on Redis only."""
    return with_settings({**subprocess_env, **redis_broker.environ()}, **settings_of_all)


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """The file in which the command ``witness`` writes when it begins and ends."""
    return tmp_path / "witness"

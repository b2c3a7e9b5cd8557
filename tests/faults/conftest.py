from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from tests.support.processes import ManagementCommand, with_settings

LEASE = 12

SETTINGS = {
    "CHRONIKER_LOCK_TIMEOUT": LEASE,
    "CHRONIKER_STOP_GRACE_SECONDS": 1,
    "CHRONIKER_REDISPATCH_SECONDS": 1,
}


@pytest.fixture
def settings_of_all(tmp_path: Path) -> Iterator[dict[str, object]]:
    """What this process, which ticks now and then, and those that it starts have in common."""
    values = {**SETTINGS, "CHRONIKER_RUNTIME_DIR": str(tmp_path / "runtime")}
    with override_settings(**values):
        yield values


@pytest.fixture
def start(
    subprocess_env: dict[str, str], settings_of_all: dict[str, object], tmp_path: Path
) -> Iterator[Callable[..., ManagementCommand]]:
    """Start a management command as a process; ``settings`` may differ. All are cleared away at the end."""
    started: list[ManagementCommand] = []

    def begin(name: str, *words: str, **settings: object) -> ManagementCommand:
        env = with_settings(subprocess_env, **{**settings_of_all, **settings})
        started.append(ManagementCommand(name, *words, env=env, directory=tmp_path))
        return started[-1].start()

    yield begin
    for process in started:
        process.stop()

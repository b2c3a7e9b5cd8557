from __future__ import annotations

from collections.abc import Iterator

import pytest

from chroniker.process.fork_server_client import ForkServer
from tests.support.supervision.fixtures import fork_server, run, supervise, warm_fork_server

__all__ = ["fork_server", "run", "supervise", "warm_fork_server"]


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.support.supervision.bare_settings")
    fork_server = ForkServer.start()
    yield fork_server
    if fork_server.pid is not None:
        fork_server.close()

from __future__ import annotations

import pytest

from tests.support.servers import Server


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> type[Server]:
    """The server class that a test selects by indirect parametrization; the test is skipped if it is not installed."""
    found: type[Server] = request.param
    if not found.available():
        pytest.skip(f"{found.name} is not installed here")
    return found

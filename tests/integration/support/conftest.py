from __future__ import annotations

import pytest

from tests.support.servers import Server


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> type[Server]:
    """The class of servers that a test names, indirectly; where that is not installed the test is skipped."""
    found: type[Server] = request.param
    if not found.available():
        pytest.skip(f"{found.name} is not installed here")
    return found

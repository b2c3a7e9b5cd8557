from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _dummy(dummy: object) -> None:
    """All tests of this folder use the dummy executor."""

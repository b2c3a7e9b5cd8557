from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_executor_left() -> Iterator[None]:
    yield
    from chroniker.executors import executors  # pytest may load this file before Django is set up

    executors.close()

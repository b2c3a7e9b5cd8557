from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def read_again() -> Iterator[None]:
    """The next metrics are read from the database, not from the memory of this process."""
    from chroniker.insights.metrics import scrape  # pytest may load this file before the models

    scrape.clear_cached_metrics()
    yield
    scrape.clear_cached_metrics()

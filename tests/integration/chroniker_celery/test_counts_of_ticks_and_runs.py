"""Ticks and runs cost no more statements, connections and flushes than before. Times are not tested."""

from __future__ import annotations

import pytest

from tests.benchmarks.installation import DurablePostgres
from tests.support.benchmark_rows import limits, printed_by
from tests.support.servers import RedisServer


@pytest.mark.celery
@pytest.mark.database("postgres")
@pytest.mark.skipif(not RedisServer.available(), reason="redis is not installed here")
def test_no_count_exceeds_its_limit() -> None:
    counts = {row["figure"]: row["count"] for row in printed_by("counts")}
    allowed = limits()
    if DurablePostgres().counts_statements:
        assert counts.keys() == allowed.keys()
    worse = {figure: count for figure, count in counts.items() if count > allowed[figure]}
    assert not worse, "find out why, or change the limit in tests/benchmarks/counts.json"

from __future__ import annotations

from tests.support.supervision.fixtures import nursery, run, supervise, warm_nursery

__all__ = ["nursery", "run", "supervise", "warm_nursery"]

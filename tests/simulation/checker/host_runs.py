"""A run on every host is open exactly as long as one of its children is. Uses no code of the product."""

from __future__ import annotations

from typing import ClassVar

from tests.simulation.checker.rows import rows
from tests.simulation.world import World

_PARENTS = (
    "SELECT job_id, token, status, finished_at,"
    " (SELECT COUNT(*) FROM chroniker_run c WHERE c.parent_id = p.id AND c.finished_at IS NULL)"
    " FROM chroniker_run p WHERE required_host = '*' AND slot = '' AND status <> 'SKIPPED'"
)


class HostRuns:
    TABLES: ClassVar = frozenset({"chroniker_run"})

    def __init__(self, world: World) -> None:
        self.world = world

    def after_commit(self) -> None:
        for job, token, status, finished_at, n_open in rows(_PARENTS):
            if (finished_at is None) != (n_open > 0):
                text = f"run {token} of job {job} is {status}, and {n_open} of its children are open"
                self.world.violated("a run on every host ends with its last child", text)

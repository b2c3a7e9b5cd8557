"""When a dependent job is claimed, the jobs that it waits for are ready, by the rows before that commit. Uses no code
of the product."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from tests.simulation.checker.rows import rows, to_datetime
from tests.simulation.world import World

#: A run of a backfill is for the past, and holds no other job back.
_HOLDING_BACK = (
    "SELECT l.job_id FROM chroniker_lease l JOIN chroniker_run r ON r.id = l.run_id"
    " WHERE l.slot = '' AND r.origin <> 'BACKFILL'"
)


class State(NamedTuple):
    last_status: str = ""
    retry_at: Any = None
    next_instant: Any = None
    next_run: Any = None
    schedule_error: str = ""


class Claimed(NamedTuple):
    job: int
    trigger: str
    covered_until: Any


class Dependencies:
    TABLES: ClassVar = frozenset({"chroniker_jobstate", "chroniker_lease", "chroniker_run"})

    def __init__(self, world: World) -> None:
        self.world = world
        self.states: dict[int, State] = {}
        self.runs: set[Any] = set()

    def after_commit(self) -> None:
        edges = rows(
            "SELECT dependent_id, dependee_id, wait_for_completion, wait_for_success, wait_for_next_run"
            " FROM chroniker_dependency"
        )
        if not edges:
            return
        found = rows(
            "SELECT id, job_id, \"trigger\", covered_until FROM chroniker_run WHERE slot = '' AND status <> 'SKIPPED'"
        )
        new = {row[1]: Claimed(*row[1:]) for row in found if row[0] not in self.runs}
        self.runs.update(row[0] for row in found)
        opened = {job for (job,) in rows(_HOLDING_BACK)} if new else set()
        for dependent, dependee, *waits in edges:
            if dependent in new and (why := self._unready(new[dependent], dependee, waits, new, opened)):
                self.world.violated("dependency", f"job {dependent} was claimed, and job {dependee} {why}")
        columns = "job_id, last_status, retry_at, next_instant, next_run, schedule_error"
        self.states = {job: State(*values) for job, *values in rows(f"SELECT {columns} FROM chroniker_jobstate")}

    def _unready(self, run: Claimed, dependee: int, waits: list[Any], new: dict[int, Claimed], opened: set[int]) -> str:
        completion, success, turn = waits
        before = self.states.get(dependee)
        if completion and dependee in opened and (dependee not in new or self._is_earlier(new[dependee], run)):
            return "is open"
        if completion and before is not None and before.retry_at is not None:
            return "waits for its retry"
        if success and (before is None or before.last_status != "SUCCEEDED"):
            return "has not succeeded"
        if turn and run.trigger == "SCHEDULE" and dependee not in self.world.promises.ledger.edited:
            return self._whose_turn(run, before)
        return ""

    def _is_earlier(self, first: Claimed, second: Claimed) -> bool:
        """Of two jobs that one commit claims, as if one by one: the one that has waited longer comes first."""
        if not first.trigger == second.trigger == "SCHEDULE":
            return False
        key = [(to_datetime(self.states[each.job].next_run), each.job) for each in (first, second)]
        return key[0] < key[1]

    @staticmethod
    def _whose_turn(run: Claimed, before: State | None) -> str:
        if before is None or before.schedule_error:
            return "has no known instants"
        if before.next_instant is None or to_datetime(before.next_instant) > to_datetime(run.covered_until):
            return ""
        return f"has an instant at {before.next_instant}, of those until {run.covered_until}"

"""Each end of a chain makes one activation of each job that it starts; each activation ends once; each run by an
activation is that of one. Uses no code of the product."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from tests.simulation.checker.rows import as_id, rows
from tests.simulation.world import World

BAD = ("FAILED", "TIMED_OUT", "LOST")
#: For each condition of a trigger: the final states that fulfil it.
FIRING = {"SUCCEEDED": ("SUCCEEDED",), "FAILED": BAD, "ENDED": ("SUCCEEDED", "STOPPED", *BAD)}


class Activations:
    TABLES: ClassVar = frozenset({"chroniker_activation", "chroniker_run"})

    def __init__(self, world: World) -> None:
        self.world = world
        self.ended: dict[Any, tuple[Any, ...]] = {}
        self.last: dict[tuple[int, int], tuple[Any, ...]] = {}  #: of each chain: its last attempt
        self.runs: set[Any] = set()  #: by activations
        self.made: dict[tuple[int, str], Any] = {}  #: for each job and key: the answer to the first request

    def was_made(self, job: int, key: str | None, activation: Any) -> None:
        """A program got this answer to its request."""
        self.world.note("activation requested", f"job {job}", key)
        if key is not None and self.made.setdefault((job, key), activation) != activation:
            self.world.violated("one activation for a key", f"job {job}, {key}: another one was returned")

    def after_commit(self) -> None:
        found = rows("SELECT id, target_id, outcome, code, run, ended_at FROM chroniker_activation ORDER BY id")
        for row in found:
            before = self.ended.get(row[0])
            if before is not None and before != row:
                self.world.violated("an activation ends once", f"{before} became {row}")
            elif before is None and row[5] is not None:
                self.ended[row[0]] = row
                self.world.note("activation ended", f"job {row[1]}", row[2], row[3])
        for run in rows(
            "SELECT id, job_id, chain, status, origin, \"trigger\" FROM chroniker_run WHERE slot = '' ORDER BY token"
        ):
            if run[2] is not None:
                self.last[run[1], run[2]] = run
            if run[5] == "EVENT":
                self.runs.add(run[0])

    def at_the_end(self) -> None:
        """When all jobs are disabled, and everything has ended."""
        waiting = rows("SELECT id FROM chroniker_activation WHERE ended_at IS NULL")
        if waiting:
            self.world.violated("activations", f"{len(waiting)} wait for disabled jobs")
        made = Counter(rows('SELECT "trigger", cause FROM chroniker_activation WHERE "trigger" IS NOT NULL'))
        expected = self._expected()
        for trigger, cause in sorted({*made, *expected}, key=str):
            count = made[trigger, cause]
            if count != expected[trigger, cause]:
                self.world.violated("activations", f"{count} by trigger {trigger} for the end of run {cause}")
        taken = Counter(row[4] for row in self.ended.values() if row[2] == "RUN")
        if set(taken) != self.runs:
            self.world.violated("activations", f"{len(self.runs)} runs by activations, {len(taken)} are named by one")
        self._check_each(taken)
        stored = {as_id(pk) for (pk,) in rows("SELECT id FROM chroniker_activation")}
        lost = [key for key, activation in self.made.items() if as_id(activation) not in stored]
        if lost:
            self.world.violated("activations", f"a program got an answer, but it is not stored: {lost}")

    def _expected(self) -> Counter[tuple[Any, ...]]:
        pending = set(rows("SELECT job_id, retry_of FROM chroniker_jobstate WHERE retry_at IS NOT NULL"))
        triggers = rows('SELECT id, source_id, "on" FROM chroniker_jobtrigger')
        expected: Counter[tuple[Any, ...]] = Counter()
        for chain, (run, job, _chain, status, origin, _trigger) in self.last.items():
            if origin != "BACKFILL" and chain not in pending:
                expected.update((pk, run) for pk, source, on in triggers if source == job and status in FIRING[on])
        return expected

    def _check_each(self, taken: Counter[Any]) -> None:
        """Of a job that gets one run for each: no run is for two."""
        each = {pk for (pk,) in rows("SELECT id FROM chroniker_job WHERE catch_up = 'EACH'")}
        for _pk, target, outcome, _code, run, _ended in self.ended.values():
            if outcome == "RUN" and target in each and taken[run] != 1:
                self.world.violated("activations", f"{taken[run]} have one run of job {target}, which wants one each")

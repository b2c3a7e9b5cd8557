"""After each commit: holds, retries and catch-up, by the rows of before and after. Uses no code of the product."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from tests.simulation.checker.rows import rows
from tests.simulation.world import World

BAD = ("FAILED", "TIMED_OUT", "LOST")


class State(NamedTuple):
    held_at: Any = None
    retry_at: Any = None
    retry_of: Any = None
    retry_origin: str = ""


class Chains:
    TABLES: ClassVar = frozenset({"chroniker_jobstate", "chroniker_run"})

    def __init__(self, world: World) -> None:
        self.world = world
        self.states: dict[int, State] = {}
        self.runs: set[Any] = set()
        self.firsts: dict[tuple[int, int], tuple[Any, ...]] = {}  #: what the first attempt of each chain is for
        self.ended: set[Any] = set()

    def after_commit(self) -> None:
        jobs = {pk: rules for pk, *rules in rows("SELECT id, catch_up, hold_on_failure FROM chroniker_job")}
        found = rows("SELECT job_id, held_at, retry_at, retry_of, retry_origin FROM chroniker_jobstate")
        states = {job: State(*values) for job, *values in found}
        runs = rows(
            'SELECT id, job_id, token, "trigger", status, chain, origin, instant, instant_until, scheduled_for,'
            " covered_until FROM chroniker_run WHERE slot = '' AND status <> 'SKIPPED' ORDER BY token"
        )
        for run in runs:
            if run[0] not in self.runs:
                self.runs.add(run[0])
                self._check_claim(run, jobs[run[1]], self.states.get(run[1], State()), states[run[1]])
            if run[0] not in self.ended and run[4] in BAD:
                self.ended.add(run[0])
                self._check_end(run, jobs[run[1]], states[run[1]])
        self.states = states

    def _check_claim(self, run: tuple[Any, ...], rules: list[Any], before: State, after: State) -> None:
        _pk, job, token, trigger, _status, chain, origin, *instants, first, until = run
        if origin == "BACKFILL":
            return  # its retries are those of the backfill
        catch_up, holds = rules
        name = f"run {token} of job {job}"
        if trigger == "RETRY":
            if chain != before.retry_of or self.firsts.get((job, chain)) != tuple(instants):
                self.world.violated("a retry belongs to its chain", f"{name} is for {instants}, of chain {chain}")
            return
        self.firsts[job, token] = tuple(instants)
        if trigger == "MANUAL" and before.retry_at is not None and after.retry_of != before.retry_of:
            self.world.violated("a run by hand leaves a retry", f"{name} was claimed")
        if trigger in ("SCHEDULE", "EVENT") and before.held_at is not None:
            self.world.violated("a held job waits", f"{name} was claimed")
        if trigger != "SCHEDULE":
            return
        if (catch_up == "EACH" or holds) and before.retry_at is not None and before.retry_origin == "SCHEDULE":
            self.world.violated("the retry comes first", f"{name} was claimed")
        if catch_up != "COALESCE" and first != until:
            self.world.violated("one run for one instant", f"{name} covers {first} to {until}")

    def _check_end(self, run: tuple[Any, ...], rules: list[Any], state: State) -> None:
        """A chain of the schedule that ended badly holds its job, in the same transaction."""
        _pk, job, token, _trigger, status, chain, origin, *_rest = run
        goes_on = state.retry_at is not None and state.retry_of == chain
        if rules[1] and origin == "SCHEDULE" and not goes_on and state.held_at is None:
            self.world.violated("a failure holds the job", f"run {token} of job {job} ended as {status}")

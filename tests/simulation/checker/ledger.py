"""Every instant of a schedule is in exactly one run's range; by another library than the product's."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any, ClassVar

from cronsim import CronSim

from tests.simulation.checker.rows import rows, to_datetime
from tests.simulation.world import World


class Ledger:
    TABLES: ClassVar = frozenset({"chroniker_jobstate"})

    def __init__(self, world: World) -> None:
        self.world = world
        self.states: dict[int, tuple[Any, ...]] = {}
        self.edited: set[int] = set()  #: their instants are not those of one expression
        self.since: dict[int, dt.datetime] = {}
        self.crons: dict[str, str] = {}  #: by fingerprint of the booked schedule

    def after_commit(self) -> None:
        found = rows("SELECT job_id, next_instant, covered_until, booked_fingerprint FROM chroniker_jobstate")
        for row in found:
            before = self.states.get(row[0])
            if before != row:
                self.states[row[0]] = row
                self._check_state(before, row)

    def _check_state(self, before: tuple[Any, ...] | None, row: tuple[Any, ...]) -> None:
        job, following, until, fingerprint = row
        if before and before[2] and until and until < before[2]:
            self.world.violated("ledger", f"job {job}: covered_until went back from {before[2]} to {until}")
        if following is None or until is None:
            return
        cron = self.crons.get(fingerprint)
        if cron is None:
            return
        expected = next(CronSim(cron, to_datetime(until)))
        if to_datetime(following) != expected:
            self.world.violated("ledger", f"job {job} books {following}, its schedule says {expected:%T}")

    def at_the_end(self) -> None:
        for job, cron in rows("SELECT id, cron FROM chroniker_job"):
            ranges = [
                (to_datetime(first), to_datetime(until))
                for first, until in rows(
                    "SELECT scheduled_for, covered_until FROM chroniker_run"
                    " WHERE job_id = ? AND scheduled_for IS NOT NULL AND slot = '' ORDER BY scheduled_for",
                    job,
                )
            ]
            for (_first, until), (following, _until) in itertools.pairwise(ranges):
                if until >= following:
                    self.world.violated("ledger", f"job {job}: ranges until {until} and from {following} overlap")
            if job not in self.edited and job in self.since:
                self._check_tiling(job, cron, ranges)

    def _check_tiling(self, job: int, cron: str, ranges: list[tuple[dt.datetime, dt.datetime]]) -> None:
        until = self.states[job][2] if job in self.states else None
        if until is None:
            return
        missing = []
        for instant in CronSim(cron, self.since[job]):
            if instant > to_datetime(until):
                break
            if not any(first <= instant <= last for first, last in ranges):
                missing.append(instant)
        if missing:
            self.world.violated("ledger", f"job {job}: {len(missing)} instants without a run, first {missing[0]}")

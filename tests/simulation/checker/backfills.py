"""A backfill makes one chain for each instant that needs a run, none after its end, and none for any other instant.

Its instants come from another library than the product's. Uses no code of the product.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, NamedTuple

from cronsim import CronSim

from tests.simulation.checker.rows import MICROSECOND, rows, to_datetime
from tests.simulation.world import World


class Row(NamedTuple):
    pk: Any
    job: int
    first: Any
    last: Any
    which: str
    spec: Any
    cursor: Any
    made: int
    succeeded: int
    failed: int
    finished_at: Any
    cancelled_at: Any
    stopped_by_run: Any
    error: str

    @property
    def is_complete(self) -> bool:
        return self.finished_at is not None and not (self.cancelled_at or self.stopped_by_run or self.error)


class Attempt(NamedTuple):
    pk: Any
    job: int
    token: int
    chain: int
    origin: str
    status: str
    started_at: Any
    instant: Any
    until: Any
    covers: Any
    backfill: Any


class Backfills:
    TABLES: ClassVar = frozenset({"chroniker_backfill", "chroniker_run"})

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: dict[Any, Row] = {}
        self.attempts: dict[Any, Attempt] = {}

    def after_commit(self) -> None:
        found = {row[0]: Row(*row) for row in rows(f"SELECT {_BACKFILL} FROM chroniker_backfill")}
        if not found:
            return
        opened = [row.job for row in found.values() if row.finished_at is None]
        if len(set(opened)) != len(opened):
            self.world.violated("backfills", "a job has two open ones")
        attempts = {row[0]: Attempt(*row) for row in rows(f"SELECT {_RUN_COLUMNS} FROM chroniker_run WHERE slot = ''")}
        before = self.attempts
        self.attempts = {**before, **attempts}
        for attempt in attempts.values():
            if attempt.backfill is not None and attempt.pk not in before:
                self._check_claim(attempt, found.get(attempt.backfill))
        for row in found.values():
            self._check_row(row)
        self.rows = found

    def _check_claim(self, attempt: Attempt, row: Row | None) -> None:
        name = f"run {attempt.token} of job {attempt.job}"
        before = self.rows.get(attempt.backfill)
        self.world.note("run of a backfill", name)
        if row is None or (before is not None and before.finished_at is not None):
            self.world.violated("backfills", f"{name} was claimed for one that had ended")
            return
        if attempt.covers is not None:
            self.world.violated("backfills", f"{name} covers instants")
        others = [each for each in self.attempts.values() if each.backfill == row.pk and each.pk != attempt.pk]
        if any(each.instant == attempt.instant and each.chain != attempt.chain for each in others):
            self.world.violated("backfills", f"{name} is a second chain for {attempt.instant}")
        if any(each.status in ("CLAIMED", "RUNNING") for each in others):
            self.world.violated("backfills", f"{name} begins beside another run of the same one")
        if to_datetime(attempt.instant) not in _instants(row):
            self.world.violated("backfills", f"{name} is for {attempt.instant}, which is none of its instants")
        if attempt.chain == attempt.token and self._is_answered(row, attempt.instant, {attempt.pk}):
            self.world.violated("backfills", f"{name} is for {attempt.instant}, which needed no run")

    def _is_answered(self, row: Row, instant: Any, without: set[Any]) -> bool:
        """Whether a run for this instant makes another one needless."""
        if row.which == "ALL":
            return False
        runs = [each for each in self.attempts.values() if each.job == row.job and each.origin != "EVENT"]
        for each in runs:
            is_enough = each.status == "SUCCEEDED" or (row.which == "NOT_RUN" and each.started_at is not None)
            if is_enough and each.pk not in without and each.instant <= instant <= each.until:
                return True
        return False

    def _check_row(self, row: Row) -> None:
        before = self.rows.get(row.pk)
        if before is not None and before.cursor is not None and (row.cursor is None or row.cursor < before.cursor):
            self.world.violated("backfills", f"of job {row.job}: its cursor went from {before.cursor} to {row.cursor}")
        if before is not None and before.finished_at is not None and row.finished_at != before.finished_at:
            self.world.violated("backfills", f"of job {row.job}: it ended twice")
        if row.is_complete and (before is None or before.finished_at is None):
            self.world.note("backfill complete", f"job {row.job}")
            self._check_complete(row)

    def _check_complete(self, row: Row) -> None:
        """Each instant has a run of it, or needs none, or has no record."""
        own = {to_datetime(each.instant) for each in self.attempts.values() if each.backfill == row.pk}
        for instant in _instants(row) - own:
            text = _as_stored(instant, row.first)
            known = [each for each in self.attempts.values() if each.job == row.job and each.covers is not None]
            if row.which == "ALL" or (
                any(each.instant <= text <= each.until for each in known) and not self._is_answered(row, text, set())
            ):
                self.world.violated("backfills", f"of job {row.job}: it is complete, without a run for {instant:%T}")

    def at_the_end(self) -> None:
        for row in self.rows.values():
            chains: dict[int, set[str]] = {}
            for each in self.attempts.values():
                if each.backfill == row.pk:
                    chains.setdefault(each.chain, set()).add(each.status)
            succeeded = sum("SUCCEEDED" in results for results in chains.values())
            if (row.made, row.succeeded) != (len(chains), succeeded) or row.succeeded + row.failed > row.made:
                text = f"counts {row.made}, {row.succeeded}, {row.failed}; made {len(chains)}, {succeeded} succeeded"
                self.world.violated("backfills", f"of job {row.job}: it {text}")


_BACKFILL = (
    "id, job_id, first, last, which, spec, cursor, made, succeeded, failed, finished_at, cancelled_at,"
    " stopped_by_run, error"
)
_RUN_COLUMNS = "id, job_id, token, chain, origin, status, started_at, instant, instant_until, scheduled_for, backfill"


def _instants(row: Row) -> set[Any]:
    spec = json.loads(row.spec) if isinstance(row.spec, str) else row.spec
    found, last = set(), to_datetime(row.last)
    for instant in CronSim(spec["cron"], to_datetime(row.first) - MICROSECOND):
        if instant > last:
            break
        found.add(instant)
    return found


def _as_stored(instant: Any, like: Any) -> Any:
    """As the driver gives it: text, or without a zone."""
    if isinstance(like, str):
        return f"{instant:%Y-%m-%d %H:%M:%S}"
    return instant if like.tzinfo is not None else instant.replace(tzinfo=None)

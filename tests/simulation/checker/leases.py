"""After each commit: an open run has a lease, no expired lease is renewed and none that holds is taken away, groups
keep their limit."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from tests.simulation.checker.rows import rows, to_datetime, true_time
from tests.simulation.checker.witness import Witness
from tests.simulation.world import World

SLACK = dt.timedelta(seconds=0.05)
JUMP_SECONDS = 10.0
#: A tick waits at least this long after the end of a lease.
LEAST_DRIFT = dt.timedelta(seconds=1)
_IS_RUNNING = "SELECT 1 FROM chroniker_run r WHERE id = ? AND status = 'RUNNING' AND required_host <> '*'"
#: Leases of closed runs that are not kept for processes which could not be killed.
_LEFT_OVER = (
    "SELECT r.job_id, r.token FROM chroniker_lease l JOIN chroniker_run r ON r.id = l.run_id"
    " WHERE r.finished_at IS NOT NULL AND NOT EXISTS"
    " (SELECT 1 FROM chroniker_runevent e WHERE e.run_id = r.id AND e.code = 'SLOT_KEPT')"
)


class Leases:
    TABLES: ClassVar = frozenset({"chroniker_group", "chroniker_lease", "chroniker_run"})

    def __init__(self, world: World, witness: Witness) -> None:
        self.world, self.witness = world, witness
        self.known: dict[Any, tuple[Any, ...]] = {}
        self.limits: dict[Any, int] = {}

    def after_commit(self) -> None:
        found = rows("SELECT run_id, job_id, slot, expires_at, nonce FROM chroniker_lease")
        leases = {row[0]: row for row in found}
        new = [row for run, row in leases.items() if run not in self.known]
        gone = [row for run, row in self.known.items() if run not in leases]
        self._check_groups(bool(new))
        if new or gone:
            self._check_open(leases)
        for job, token in rows(_LEFT_OVER):
            self.world.violated("a closed run frees its slot", f"run {token} of job {job} keeps its lease")
        for row in gone:
            self._check_end(row)
        for run, row in leases.items():
            if run in self.known:
                self._check_renewal(self.known[run], row)
        self.known = leases

    def _check_open(self, leases: dict[Any, tuple[Any, ...]]) -> None:
        opened = {run for (run,) in rows("SELECT id FROM chroniker_run WHERE finished_at IS NULL")}
        if opened != set(leases):
            self.world.violated("open means leased", f"{len(opened)} open runs, {len(leases)} leases")

    def _check_renewal(self, before: tuple[Any, ...], after: tuple[Any, ...]) -> None:
        """Not of a parent, which no worker renews, nor where a lock file or a jump of the clock decides."""
        *_key, old, nonce = before
        same_holder = nonce is not None and nonce == after[4]
        if not same_holder or after[3] <= old or self.world.clock_jumped or self._uses_lock_files():
            return
        if to_datetime(old) < true_time(self.world) - SLACK and rows(_IS_RUNNING, before[0]):
            self.world.violated("no expired lease is renewed", f"job {before[1]}: it had expired at {old}")

    def _uses_lock_files(self) -> bool:
        return any(host.settings["CHRONIKER_CHECK_LOCK_FILE"] for host in self.world.hosts.values())

    def _check_end(self, lease: tuple[Any, ...]) -> None:
        found = rows("SELECT status, code, token FROM chroniker_run WHERE id = ?", lease[0])
        is_alive = self.witness.tree_of(lease[0]) is not None
        if found and found[0][0] != "LOST" and is_alive:
            self.world.violated("a run ends after its tree", f"run {found[0][2]} of job {lease[1]} is {found[0][0]}")
        if found and found[0][0] == "LOST":
            self.world.note("run lost", f"job {lease[1]}, run {found[0][2]}:", found[0][1])
            if is_alive:
                self.world.note("lost with its tree alive", f"job {lease[1]}, run {found[0][2]}")
            self._check_loss(lease, found[0][1])
            if self._is_locked(lease[0]):
                self.world.violated("a held lock keeps its run", f"run {found[0][2]} of job {lease[1]} was lost")

    def _check_loss(self, lease: tuple[Any, ...], code: str) -> None:
        """It had ended by the database's clock, whatever jumps that has made. A free lock file ends it at once."""
        by_time = code == "NOT_TAKEN" or (code == "LEASE" and not self._uses_lock_files())
        if by_time and to_datetime(lease[3]) > self._latest_time() - LEAST_DRIFT + SLACK:
            self.world.violated("a lease that holds is kept", f"job {lease[1]}: it ends at {lease[3]} ({code})")

    def _latest_time(self) -> dt.datetime:
        """Of the database's clock, which may have gone back since the look that decided."""
        world = self.world
        offset = world.database_offset
        if world.now < world.jumped_at + JUMP_SECONDS:
            offset = max(offset, world.offset_before)
        return true_time(world) + dt.timedelta(seconds=offset)

    def _is_locked(self, run: str) -> bool:
        """Where lock files decide and every process sees them."""
        hosts = list(self.world.hosts.values())
        return (
            self._uses_lock_files()
            and len(hosts) == 1
            and any(file.is_held for run_id, file in hosts[0].locks.items() if run_id.hex == run)
        )

    def _check_groups(self, leases_are_new: bool) -> None:
        """A claim keeps the limit that it read under the lock of the group's row.

        A server may give that lock to a waiting UPDATE, and commit it, before the claim's commit is seen here. So a
        limit that was lowered since the last look does not count against the leases of this look.
        """
        before = self.limits
        self.limits = dict(rows('SELECT id, "limit" FROM chroniker_group WHERE "limit" IS NOT NULL'))
        if not leases_are_new or not self.limits:
            return
        counts = rows(
            "SELECT j.group_id, COUNT(*) FROM chroniker_lease l JOIN chroniker_job j ON j.id = l.job_id"
            " WHERE l.slot = '' GROUP BY j.group_id"
        )
        for group, count in counts:
            limit = self.limits.get(group)
            if limit is not None and count > max(limit, before.get(group, 0)):
                self.world.violated("group limit", f"{count} open runs, of {limit}, in group {group}")

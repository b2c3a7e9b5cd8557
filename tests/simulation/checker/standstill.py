"""A draining host claims and starts nothing; in a copy of the database nothing is claimed, started or expired."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.simulation.checker.rows import rows
from tests.simulation.world import World

Runs = dict[Any, tuple[Any, ...]]


class Standstill:
    """Hosts and the identity of the database are read after each commit; so is what a commit has claimed or started."""

    TABLES: ClassVar = frozenset({"chroniker_host", "chroniker_switch", "chroniker_run"})

    def __init__(self, world: World) -> None:
        self.world = world
        self.draining: dict[str, float] = {}  #: by host: the time of the commit that began its drain
        self.recorded: str | None = None  #: the name of the database, as the commit before has left it
        self.runs: Runs = {}

    def after_commit(self) -> None:
        found = {name for (name,) in rows("SELECT name FROM chroniker_host WHERE draining_since IS NOT NULL")}
        began = {name: self.draining.get(name, self.world.now) for name in found}
        runs = {row[0]: row for row in rows("SELECT id, job_id, token, status, host, required_host FROM chroniker_run")}
        changed = [row for pk, row in runs.items() if row != self.runs.get(pk)]
        recorded = self._recorded()
        name = self.world.installation
        if self.recorded and name not in ("", self.recorded, recorded):
            self._check_copy(changed)
        if self.draining or began:
            self._check_drain(changed, began)
        self.draining, self.recorded, self.runs = began, recorded, runs

    @staticmethod
    def _recorded() -> str | None:
        """A copy has another name in the database than in the settings of the hosts."""
        found = rows("SELECT installation FROM chroniker_switch")
        return found[0][0] if found else None

    def _check_copy(self, changed: list[tuple[Any, ...]]) -> None:
        self.world.note("commit in a copy")
        for pk, job, token, status, _host, required_host in changed:
            is_parent = required_host == "*" and pk in self.runs  # it ends when its adoption stops its children
            if status not in ("SKIPPED", "STOPPED") and not is_parent:  # these are part of its adoption
                self.world.violated("a copy runs nothing", f"run {token} of job {job} became {status}")

    def _check_drain(self, changed: list[tuple[Any, ...]], draining: dict[str, float]) -> None:
        """A pass that began before the drain may claim, and a statement that began before it may start a run."""
        author = self.world.author
        if author is None:
            return
        by = author.process
        for pk, job, token, status, host, _required_host in changed:
            is_new, since = pk not in self.runs, draining.get(host)
            if status == "RUNNING" and not is_new and since is not None and since < author.wrote_runs_at:
                self.world.violated("a draining host starts nothing", f"run {token} of job {job} began on {host}")
            if is_new and status == "CLAIMED" and by.role != "person":
                since = draining.get(by.host.name)
                self.world.note("claim during a drain")
                if since is not None and since < by.pass_began_at:
                    self.world.violated("a draining host claims nothing", f"run {token} of job {job}, {by.name}")

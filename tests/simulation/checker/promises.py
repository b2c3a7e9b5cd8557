"""All checks of one world."""

from __future__ import annotations

from typing import Any

from tests.simulation.checker import output
from tests.simulation.checker.activations import Activations
from tests.simulation.checker.alerts import Alerts
from tests.simulation.checker.backfills import Backfills
from tests.simulation.checker.chains import Chains
from tests.simulation.checker.dependencies import Dependencies
from tests.simulation.checker.host_runs import HostRuns
from tests.simulation.checker.leases import Leases
from tests.simulation.checker.ledger import Ledger
from tests.simulation.checker.rows import rows
from tests.simulation.checker.runs import Runs
from tests.simulation.checker.standstill import Standstill
from tests.simulation.checker.witness import Witness
from tests.simulation.world import World


class Promises:
    def __init__(self, world: World) -> None:
        self.world = world
        self.witness = Witness(world)
        self.leases = Leases(world, self.witness)
        self.ledger = Ledger(world)
        self.runs = Runs(world)
        self.chains = Chains(world)
        self.activations = Activations(world)
        self.backfills, self.alerts = Backfills(world), Alerts(world)
        self.rules: tuple[Any, ...] = (
            self.leases,
            self.ledger,
            self.runs,
            self.chains,
            self.activations,
            self.backfills,
            self.alerts,
            Dependencies(world),
            HostRuns(world),
            Standstill(world),
        )

    def after_commit(self) -> None:
        """The rules about the tables that were written since the last commit."""
        world = self.world
        written, world.written = world.written, set()
        world.author = world.current
        with world.outside():
            for rule in self.rules:
                if not rule.TABLES.isdisjoint(written):
                    rule.after_commit()

    def at_the_end(self) -> None:
        """When everything should have ended."""
        with self.world.outside():
            found = rows("SELECT job_id, token, status FROM chroniker_run WHERE finished_at IS NULL")
            for job, token, status in found:
                self.world.violated("every claim ends", f"run {token} of job {job} is still {status}")
            for rule in (self.ledger, self.activations, self.backfills, self.alerts):
                rule.at_the_end()
            output.check(self.world, self.witness)

"""All checks of one world."""

from __future__ import annotations

from tests.simulation.checker import output
from tests.simulation.checker.chains import Chains
from tests.simulation.checker.leases import Leases
from tests.simulation.checker.ledger import Ledger
from tests.simulation.checker.rows import rows
from tests.simulation.checker.runs import Runs
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

    def after_commit(self) -> None:
        with self.world.outside():
            self.leases.after_commit()
            self.ledger.after_commit()
            self.runs.after_commit()
            self.chains.after_commit()

    def at_the_end(self) -> None:
        """When everything should have ended."""
        with self.world.outside():
            found = rows("SELECT job_id, token, status FROM chroniker_run WHERE finished_at IS NULL")
            for job, token, status in found:
                self.world.violated("every claim ends", f"run {token} of job {job} is still {status}")
            self.ledger.at_the_end()
            output.check(self.world, self.witness)

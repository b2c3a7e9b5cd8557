"""Sees process trees in true time. At most one may live for each job and slot, and no run begins twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.simulation.checker.rows import rows
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.command import Command


class Witness:
    def __init__(self, world: World) -> None:
        self.world = world
        self.alive: dict[tuple[Any, str], list[Command]] = {}
        self.begun: dict[UUID, int] = {}
        self.lines: dict[UUID, int] = {}  #: by run: lines that left the command

    def began(self, command: Command) -> None:
        run = command.spec.run_id
        self.begun[run] = self.begun.get(run, 0) + 1
        self.world.note("tree begins", command.name)
        if self.begun[run] > 1:
            self.world.violated("one start", f"{command.name} began {self.begun[run]} times")
        command.slot = self._slot(run)
        others = [other for other in self.alive.get(command.slot, []) if not other.dead]
        if others:
            self.world.violated("one instance", f"{command.name} begins beside {others[0].name}")
        self.alive.setdefault(command.slot, []).append(command)

    def ended(self, command: Command) -> None:
        self.world.note("tree ends", command.name, command.exit_code)
        self.lines[command.spec.run_id] = command.lines
        living = self.alive.get(command.slot, [])
        if command in living:
            living.remove(command)

    def tree_of(self, run_id: str) -> Command | None:
        """The live tree of this run (its id without hyphens)."""
        for commands in self.alive.values():
            for command in commands:
                if command.marker.hex == run_id and not command.dead:
                    return command
        return None

    def _slot(self, run: UUID) -> tuple[Any, str]:
        found = rows("SELECT job_id, slot FROM chroniker_run WHERE id = ?", run.hex)
        return found[0] if found else ("?", "?")

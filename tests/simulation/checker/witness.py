"""Sees process trees in true time. At most one may live for each job and slot, and no run begins twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from tests.simulation.checker.rows import rows
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.command import Command
    from tests.simulation.processes import Process


#: From the end of the grace to the death of the tree, at most.
KILL_SECONDS = 2.0


class Witness:
    def __init__(self, world: World) -> None:
        self.world = world
        self.alive: dict[tuple[Any, str], list[Process]] = {}  #: commands, and the processes that they started
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

    def joined(self, process: Process) -> None:
        """A process that a command started: a part of its tree."""
        self.world.note("process begins", process.name)
        self.alive.setdefault(process.slot, []).append(process)

    def ended(self, process: Process) -> None:
        living = self.alive.get(process.slot, [])
        if process in living:
            living.remove(process)
        if process.role == "command":
            self._command_ended(cast("Command", process))

    def _command_ended(self, command: Command) -> None:
        self.world.note("tree ends", command.name, command.exit_code)
        self.lines[command.spec.run_id] = command.lines
        spec, lasted = command.spec, command.host.boot() - command.began_at
        limit = (spec.timeout or float("inf")) + spec.grace + (self.world.kill_seconds or 0.0) + KILL_SECONDS
        if lasted > limit:
            self.world.violated("timeout", f"{command.name} lasted {lasted:.1f} s, of {spec.timeout:g}")

    def tree_of(self, run_id: str) -> Process | None:
        """A living process of this run (its id without hyphens)."""
        for processes in self.alive.values():
            for process in processes:
                if process.marker.hex == run_id and not process.dead:
                    return process
        return None

    def _slot(self, run: UUID) -> tuple[Any, str]:
        found = rows("SELECT job_id, slot FROM chroniker_run WHERE id = ?", run.hex)
        return found[0] if found else ("?", "?")

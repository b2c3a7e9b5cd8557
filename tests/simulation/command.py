"""A simulated command: it works for a while, writes lines, may start a process, and dies with its keeper."""

from __future__ import annotations

import signal
from typing import Any

from tests.simulation.channels import End
from tests.simulation.processes import Process

KILLED = -9
LINE_WIDTH = 7  #: characters of "000000\n"


class Descendant(Process):
    """A process that a command started. It outlives the command, and has no parent-death signal."""

    def __init__(self, command: Command, seconds: float, bell: End, *, ours: bool) -> None:
        super().__init__(command.host, f"child of {command.name}", "descendant", command)
        self.marker, self.slot, self.ours = command.marker, command.slot, ours
        self.at_death += [lambda: self.world.witness.ended(self), lambda: _ring(bell)]
        self.world.witness.joined(self)
        self.start(self._work, seconds)

    def _work(self, seconds: float) -> None:
        self.world.block(seconds)
        self.kill()


class Command(Process):
    dies_with_parent = True

    def __init__(self, out: End, spec: Any, keeper: Process, bell: End) -> None:
        super().__init__(keeper.host, f"command of job {spec.job_id}, run {spec.token}", "command", keeper)
        self.spec, self.marker, self.exit_code = spec, spec.run_id, KILLED
        self.out = out
        self.lines, self.began_at = 0, self.host.boot()
        self.obeys_sigterm, self.seconds, self.code = self._draw()
        self.bell = bell
        self.child_at, self.child_seconds = self._draw_child()
        self.at_death.append(lambda: self.world.witness.ended(self))
        self.at_death.append(lambda: _ring(bell))
        self.world.witness.began(self)
        self.start(self._work)

    def _draw(self) -> tuple[bool, float, int]:
        rng, fixed = self.world.rng, self.world.command_seconds
        obeys = rng.random() < 0.8
        seconds = rng.expovariate(1 / 8) if rng.random() < 0.8 else rng.uniform(20, 90)
        code = 0 if rng.random() < 0.85 else 1
        return obeys, seconds if fixed is None else fixed, code if fixed is None else self.world.command_code

    def _draw_child(self) -> tuple[float, float]:
        """How many seconds before its end it starts a process, and how long that one lives. 0: it starts none."""
        rng, fixed = self.world.rng, self.world.child_seconds
        if fixed is not None:
            return self.seconds, fixed
        if self.world.command_seconds is not None or rng.random() > 0.3:
            return 0.0, 0.0
        return self.seconds * rng.random(), self.seconds + rng.uniform(0, 60)

    def _work(self) -> None:
        try:
            self._print_lines()
        except BrokenPipeError:  # the process that reads has died
            self.exit_code = 1
        else:
            self.exit_code = self.code
        self.kill()

    def _print_lines(self) -> None:
        world, left = self.world, self.seconds
        while left > 0:
            if self.child_seconds and left <= self.child_at:
                Descendant(self, self.child_seconds, self.bell, ours=world.children_are_ours)
                self.child_seconds = 0.0
            step = min(left, world.rng.expovariate(1 / 3) + 0.01)
            world.block(step)
            left -= step
            if self.out.has_room:
                self.out.send(b"%06d\n" % self.lines)
                self.lines += 1

    def terminate(self) -> None:
        """SIGTERM."""
        if self.obeys_sigterm:
            self.exit_code = -signal.SIGTERM
            self.world.after(self.world.rng.expovariate(2), self.kill)


def _ring(bell: End) -> None:
    if bell.peer is not None and not bell.peer.closed:
        bell.peer.data += b"!"
        bell.peer.signal()

"""A simulated command: it works for a while, writes lines, and dies with its keeper or when it is told to."""

from __future__ import annotations

import signal
from typing import Any

from tests.simulation.channels import End
from tests.simulation.processes import Process

KILLED = -9
LINE_WIDTH = 7  #: characters of "000000\n"


class Command(Process):
    def __init__(self, out: End, spec: Any, keeper: Process, bell: End) -> None:
        super().__init__(keeper.host, f"command of job {spec.job_id}, run {spec.token}", "command", keeper)
        self.spec, self.marker, self.exit_code = spec, spec.run_id, KILLED
        self.out = out
        self.lines = 0
        self.slot: tuple[Any, str] = ("", "")  #: job and slot, by the witness
        self.obeys_sigterm, self.seconds, self.code = self._draw()
        self.at_death.append(lambda: self.world.witness.ended(self))
        self.at_death.append(lambda: _ring(bell))
        keeper.at_death.append(self.kill)  # the parent-death signal
        self.world.witness.began(self)
        self.start(self._work)

    def _draw(self) -> tuple[bool, float, int]:
        rng, fixed = self.world.rng, self.world.command_seconds
        obeys = rng.random() < 0.8
        seconds = rng.expovariate(1 / 8) if rng.random() < 0.8 else rng.uniform(20, 90)
        code = 0 if rng.random() < 0.85 else 1
        return obeys, seconds if fixed is None else fixed, code if fixed is None else 0

    def _work(self) -> None:
        world, left = self.world, self.seconds
        while left > 0:
            step = min(left, world.rng.expovariate(1 / 3) + 0.01)
            world.block(step)
            left -= step
            if self.out.has_room:
                self.out.send(b"%06d\n" % self.lines)
                self.lines += 1
        self.exit_code = self.code
        self.kill()

    def terminate(self) -> None:
        """SIGTERM."""
        if self.obeys_sigterm:
            self.exit_code = -signal.SIGTERM
            self.world.after(self.world.rng.expovariate(2), self.kill)


def _ring(bell: End) -> None:
    if bell.peer is not None and not bell.peer.closed:
        bell.peer.data += b"!"
        bell.peer.signal()

"""The faults: each a function of the environment and the rng. What it breaks is whole again some seconds later.

Each module names its scenarios; those of one name are one. A scenario in a module's ``ALONE`` is not part of the mix;
those of a module with a ``WEIGHT`` are so many times as likely there.
"""

from __future__ import annotations

from tests.faults.environment import Fault
from tests.faults.injection import clocks, commands, deploys, failover, messages, network, points, processes, servers

MODULES = (processes, deploys, points, network, servers, failover, messages, commands, clocks)


def scenarios() -> dict[str, tuple[Fault, ...]]:
    found: dict[str, tuple[Fault, ...]] = {"mix": (), "none": ()}
    for module in MODULES:
        for name, faults in module.SCENARIOS.items():
            found[name] = (*found.get(name, ()), *faults)
            if name not in getattr(module, "ALONE", ()):
                found["mix"] += faults * getattr(module, "WEIGHT", 1)
    return found


SCENARIOS = scenarios()
WORKER_PAUSED = processes.WORKER_PAUSED
START_DEADLINES = messages.START_DEADLINES
#: Their findings are measured only, and are no violations: see docs/reliability.md.
NOT_PROMISED = failover.NOT_PROMISED
#: Those in which processes and servers are started so that their clocks can be set wrong.
WITH_CLOCKS = ("mix", *clocks.SCENARIOS)

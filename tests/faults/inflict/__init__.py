"""The faults: each a function of the stage and the dice. What it breaks is whole again some seconds later.

Each module names its scenarios; those of one name are one. A scenario in a module's ``ALONE`` is not part of the mix.
"""

from __future__ import annotations

from tests.faults.inflict import clocks, commands, messages, processes, servers, wires
from tests.faults.stage import Fault

MODULES = (processes, wires, servers, messages, commands, clocks)


def scenarios() -> dict[str, tuple[Fault, ...]]:
    found: dict[str, tuple[Fault, ...]] = {"mix": ()}
    for module in MODULES:
        for name, faults in module.SCENARIOS.items():
            found[name] = (*found.get(name, ()), *faults)
            if name not in getattr(module, "ALONE", ()):
                found["mix"] += faults
    return found


SCENARIOS = scenarios()

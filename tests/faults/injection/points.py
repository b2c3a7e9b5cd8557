"""A process dies between two given statements of claim, dispatch, start, renew, finish, expire."""

from __future__ import annotations

import random
import time
from collections import defaultdict

from tests.faults import failpoints
from tests.faults.environment import Environment, Fault

TIMEOUT = 5.0


def crash_at_point(environment: Environment, rng: random.Random) -> str:
    """Each step is as likely as the others; of its points one of those that were died at least often so far."""
    by_step: dict[str, dict[str, int]] = defaultdict(dict)
    for point, count in failpoints.hits(environment.failpoints).items():
        by_step[point.partition(":")[0]][point] = count
    if not by_step:
        return "no point was passed yet"
    step = rng.choice(sorted(by_step))
    counts = by_step[step]
    point = rng.choice([each for each, count in counts.items() if count == min(counts.values())])
    failpoints.arm(environment.failpoints, point)
    until = time.monotonic() + TIMEOUT
    while failpoints.is_armed(environment.failpoints, point) and time.monotonic() < until:
        time.sleep(0.05)
    missed = failpoints.disarm(environment.failpoints, point)
    return f"death within {step}" if not missed else f"death within {step}: no process reached it in time"


SCENARIOS: dict[str, tuple[Fault, ...]] = {"failpoints": (crash_at_point,)}
WEIGHT = 8

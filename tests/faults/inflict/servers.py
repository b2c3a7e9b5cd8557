"""Faults of the servers themselves."""

from __future__ import annotations

import random
import time
from contextlib import suppress

from tests.faults.stage import Fault, Stage
from tests.servers import RedisServer


def flush_broker(stage: Stage, dice: random.Random) -> str:
    """All messages are gone, as after a restart without persistence."""
    if isinstance(stage.broker.server, RedisServer):
        stage.broker.server.reset()
        return "the broker forgot its messages"
    with suppress(Exception):  # its channel may be cut off at this moment
        stage.broker.empty()
    return "the broker's queue was purged"


def restart_broker(stage: Stage, dice: random.Random) -> str:
    stage.broker.server.stop(keep=True)
    time.sleep(dice.uniform(0.5, 3))
    stage.broker.server.start()
    return "the broker was restarted"


def restart_database(stage: Stage, dice: random.Random) -> str:
    if stage.database is None:
        return "no database server"
    stage.database.stop(keep=True)
    time.sleep(dice.uniform(0.5, 3))
    stage.database.start()
    return "the database was restarted"


SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "database": (restart_database,),
    "broker": (flush_broker, restart_broker),
}

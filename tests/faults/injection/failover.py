"""The database's server dies, and its standby takes its place: one that had all, or one that had fallen behind."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.administrator import query_function
from tests.faults.environment import LEASE, Environment, Fault
from tests.support.processes import wait_until
from tests.support.servers import FaultProxy, PostgresServer, PostgresStandby


def fail_over(environment: Environment, rng: random.Random) -> str:
    """Replication is synchronous: what was committed is on the standby."""
    with environment.exclusive("database"), _followed(environment) as (standby, _wire):
        with query_function() as query:
            query("ALTER SYSTEM SET synchronous_standby_names = '*'")
            query("SELECT pg_reload_conf()")
            wait_until(lambda: query("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"), what="in step")
        time.sleep(rng.uniform(1.0, LEASE))
        _promote(environment, standby)
    return "the database died and its synchronous standby was promoted"


def fail_over_to_a_stale_one(environment: Environment, rng: random.Random) -> str:
    """Replication is asynchronous and had stopped for a while: later commits are lost."""
    with environment.exclusive("database"), _followed(environment) as (standby, proxy):
        proxy.set("freeze")
        time.sleep(LEASE * rng.uniform(0.2, 1.5))
        _promote(environment, standby)
    return "the database died and a stale standby was promoted"


#: The second one cannot be clean, and the documentation promises nothing about it: it is measured.
SCENARIOS: dict[str, tuple[Fault, ...]] = {"failover": (fail_over,), "failover-async": (fail_over_to_a_stale_one,)}
ALONE = ("failover-async",)
NOT_PROMISED = ("failover-async",)


@contextmanager
def _followed(environment: Environment) -> Iterator[tuple[PostgresStandby, FaultProxy]]:
    """The database with a standby, and the proxy between them."""
    if not isinstance(environment.database, PostgresServer):
        raise NoStandby
    with FaultProxy(environment.database.port) as proxy:
        standby = PostgresStandby(proxy.port, may_err=environment.database.clock is not None).start()
        try:
            yield standby, proxy
        finally:
            if standby is not environment.database:
                standby.stop()


class NoStandby(Exception):
    """Only PostgreSQL has one here."""


def _promote(environment: Environment, standby: PostgresStandby) -> None:
    assert environment.database is not None
    environment.database.crash()
    standby.promote()
    environment.replace_database(standby)

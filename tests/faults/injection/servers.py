"""Faults of the servers themselves: restarted, crashed, flushed, full, locked."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

from tests.faults.administrator import ACTORS, Query, query_function, take_remaining_connections, vendor
from tests.faults.environment import LEASE, Environment, Fault
from tests.faults.injection import disks
from tests.support.servers import PostgresServer, RedisServer

TABLES = ("chroniker_lease", "chroniker_jobstate", "chroniker_run", "chroniker_logchunk")
MARIADB_CONNECTIONS = 300


def flush_broker(environment: Environment, rng: random.Random) -> str:
    """All messages are gone, as after a restart without persistence."""
    if isinstance(environment.broker.server, RedisServer):
        environment.broker.server.reset()
        return "the broker forgot its messages"
    with suppress(Exception):  # its channel may be cut off at this moment
        environment.broker.empty()
    return "the broker's queue was purged"


def restart_broker(environment: Environment, rng: random.Random) -> str:
    return _restart(environment, rng, "broker")


def crash_broker(environment: Environment, rng: random.Random) -> str:
    return _restart(environment, rng, "broker", crash=True)


def restart_database(environment: Environment, rng: random.Random) -> str:
    return _restart(environment, rng, "database")


def crash_database(environment: Environment, rng: random.Random) -> str:
    """It comes back by recovery from its log."""
    return _restart(environment, rng, "database", crash=True)


def crash_backend(environment: Environment, rng: random.Random) -> str:
    """PostgreSQL then cuts everybody off and recovers, by itself."""
    if not isinstance(environment.database, PostgresServer):
        return "no backend that could crash alone"
    with environment.exclusive("database"), query_function() as query:
        pids = [pid for (pid,) in query(f"SELECT pid FROM pg_stat_activity WHERE usename = '{ACTORS}'")]
        if not pids:
            return "no backend to crash"
        os.kill(rng.choice(sorted(pids)), signal.SIGKILL)
    return "a backend was killed, and the database recovered"


def out_of_connections(environment: Environment, rng: random.Random) -> str:
    """Some connections of the actors are ended, and there is no room for new ones; administrators still get in."""
    if environment.database is None:
        return "no connections to run out of"
    with environment.exclusive("database"), query_function() as query:
        exhaust, relieve = (
            (_exhaust_postgres, f"ALTER ROLE {ACTORS} CONNECTION LIMIT -1")
            if isinstance(environment.database, PostgresServer)
            else (_exhaust_mariadb, f"SET GLOBAL max_connections = {MARIADB_CONNECTIONS}")
        )
        try:
            ended = exhaust(query, rng)
            with take_remaining_connections():
                time.sleep(LEASE * rng.uniform(0.3, 2.0))
        finally:
            query(relieve)
    return "out of connections" if ended else "out of connections; none was open"


def hold_locks(environment: Environment, rng: random.Random) -> str:
    """Somebody locks the whole database (SQLite) or one table, also for longer than others wait for it."""
    table = rng.choice(TABLES)
    begin, end = {
        "sqlite": ("BEGIN IMMEDIATE", "ROLLBACK"),
        "postgresql": (f"BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE", "ROLLBACK"),
        "mysql": (f"LOCK TABLES {table} WRITE", "UNLOCK TABLES"),
    }[vendor()]
    what, longest = ("the database", 25.0) if environment.database is None else (table, 2 * LEASE)
    with query_function() as query:
        query(begin)
        time.sleep(rng.uniform(1.0, longest))
        query(end)
    return f"{what} was locked"


def fill_disk(environment: Environment, rng: random.Random) -> str:
    """No output can be stored for a while."""
    with environment.exclusive("disk"), query_function() as query:
        disks.prepare(query, vendor())
        query(disks.FULL)
        try:
            time.sleep(rng.uniform(1.0, 2 * LEASE))
        finally:
            query(disks.FREE)
    return "the disk was full under the log"


SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "forget": (flush_broker,),
    "broker-restart": (restart_broker, crash_broker),
    "database-restart": (restart_database,),
    "database-crash": (crash_database, crash_backend),
    "connections": (out_of_connections,),
    "locked": (hold_locks,),
    "disk-full": (fill_disk,),
}


def _restart(environment: Environment, rng: random.Random, name: str, *, crash: bool = False) -> str:
    with environment.exclusive(name, rest=3 * LEASE):  # longer than any of them takes to come back
        server = environment.database if name == "database" else environment.broker.server
        if server is None:
            return f"the {name} is no server"
        if crash:
            server.crash()
        else:
            server.stop(keep=True)
        time.sleep(rng.uniform(0.0, 3.0))
        server.start()
        environment.redirect_to(server)
    return f"the {name} crashed and recovered" if crash else f"the {name} was restarted"


def _exhaust_postgres(query: Query, rng: random.Random) -> int:
    theirs = f"FROM pg_stat_activity WHERE usename = '{ACTORS}'"
    ((count,),) = query(f"SELECT count(*) {theirs}")
    ended = int(count * rng.uniform(0.2, 1.0))
    query(f"ALTER ROLE {ACTORS} CONNECTION LIMIT {count - ended}")
    query(f"SELECT pg_terminate_backend(pid) FROM (SELECT pid {theirs} ORDER BY random() LIMIT {ended}) AS victims")
    return ended


def _exhaust_mariadb(query: Query, rng: random.Random) -> int:
    """Ten connections are the fewest that it can be limited to, and one more for an administrator."""
    theirs = [pid for (pid,) in query(f"SELECT id FROM information_schema.processlist WHERE user = '{ACTORS}'")]
    ended = rng.sample(theirs, int(len(theirs) * rng.uniform(0.2, 1.0)))
    query(f"SET GLOBAL max_connections = {max(10, len(theirs) - len(ended))}")
    for pid in ended:
        with suppress(Exception):  # it went by itself
            query(f"KILL {pid}")
    return len(ended)

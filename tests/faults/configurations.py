"""Named configurations of the installation under test: isolation levels, poolers, lock files, settings, host names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.actors import LAYOUT, ProcessSpec

LONG_LEASE = 12.0
LOCAL_EXECUTOR: Mapping[str, Any] = {
    "CHRONIKER_EXECUTORS": {"default": {"BACKEND": "chroniker.executors.local.LocalExecutor", "OPTIONS": {}}}
}
LOCK_FILE: Mapping[str, Any] = {"CHRONIKER_CHECK_LOCK_FILE": True}


@dataclass(frozen=True)
class Configuration:
    """What differs from the default. ``settings_of``: by the host's name in the layout."""

    description: str
    database: str = ""  # the only one for which this makes sense
    database_options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    settings_of: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    layout: tuple[ProcessSpec, ...] = LAYOUT
    longest_lease: float = 0.0  # 0: that of the environment
    by_lease: bool = True  # a run is given up by its lease, not by a file lock
    pooler: bool = False  # PgBouncer in transaction mode stands between the processes and the database
    promised: bool = True  # the documentation promises one instance in this configuration


def one_host(name: str = "here") -> tuple[ProcessSpec, ...]:
    """The same processes under one host name, with one runtime directory."""
    return tuple(ProcessSpec(each.role, name, each.pool, runtime="shared") for each in LAYOUT)


def two_directories() -> tuple[ProcessSpec, ...]:
    """One host name; the processes of each original host see the lock files of their own directory only."""
    return tuple(ProcessSpec(each.role, "here", each.pool, runtime=each.host) for each in LAYOUT)


def two_names_one_directory() -> tuple[ProcessSpec, ...]:
    return tuple(ProcessSpec(each.role, each.host, each.pool, runtime="shared") for each in LAYOUT)


def ticks_that_execute() -> tuple[ProcessSpec, ...]:
    """Each tick executes the runs that it claims; no Celery."""
    return (ProcessSpec("tick", "alder"), ProcessSpec("tick", "birch"), ProcessSpec("tick", "birch"))


def isolation(level: str | int) -> Mapping[str, Any]:
    """For PostgreSQL the value of ``psycopg.IsolationLevel``; for MariaDB the name."""
    return {"isolation_level": level}


CONFIGURATIONS: dict[str, Configuration] = {
    "default": Configuration("two host names, leases, the database's default isolation level"),
    "postgres-read-committed": Configuration("READ COMMITTED", "postgres", isolation(2)),
    "postgres-repeatable-read": Configuration("REPEATABLE READ", "postgres", isolation(3)),
    "postgres-serializable": Configuration("SERIALIZABLE", "postgres", isolation(4)),
    "mariadb-repeatable-read": Configuration("REPEATABLE READ", "mariadb", isolation("repeatable read")),
    "lock-file": Configuration("lock files decide, on one host", settings=LOCK_FILE, layout=one_host(), by_lease=False),
    "two-runtime-directories": Configuration(
        "lock files that half of the processes do not see", settings=LOCK_FILE, layout=two_directories(), by_lease=False
    ),
    "unequal-lock-timeouts": Configuration(
        "one host has leases twice as long",
        settings_of={"birch": {"CHRONIKER_LOCK_TIMEOUT": LONG_LEASE}},
        longest_lease=LONG_LEASE,
    ),
    "pgbouncer": Configuration("PgBouncer in transaction mode", "postgres", pooler=True),
    "psycopg-pool": Configuration(
        "the local executor, with a pool of few connections in each process",
        "postgres",
        {"pool": {"min_size": 1, "max_size": 4, "timeout": 10}},
        LOCAL_EXECUTOR,
        layout=ticks_that_execute(),
    ),
    "two-host-names": Configuration(
        "two host names on one machine, with one runtime directory", layout=two_names_one_directory()
    ),
}

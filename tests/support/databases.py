"""Which database the tests use (``TEST_DATABASE``: sqlite, postgres or mariadb), its server, and Django's settings."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.servers import HOST, MariaDBServer, PostgresServer, Server

VENDORS = ("sqlite", "postgres", "mariadb")


class PostgresWithoutAutovacuum(PostgresServer):
    """Plans do not depend on when statistics were collected.

    Autovacuum may do so while a test has just emptied the tables. PostgreSQL expects no rows then, and compares each
    row of a table with each row of another one: one test in a full run took four minutes instead of two seconds.
    """

    def command(self) -> list[str]:
        return [*super().command(), "-c", "autovacuum=off"]


SERVERS: dict[str, type[Server]] = {"postgres": PostgresWithoutAutovacuum, "mariadb": MariaDBServer}

#: Several processes share the file. Without these options a writer fails at once if the file is locked.
SQLITE_OPTIONS = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
}


#: A JSON object: options of the connection that a test adds, for this process and those that it starts.
OPTIONS_VARIABLE = "CHRONIKER_TEST_DB_OPTIONS"


class NoSuchDatabase(Exception):
    """TEST_DATABASE names a database that is unknown or not installed."""


def chosen() -> str:
    """The value of ``TEST_DATABASE``."""
    vendor = os.environ.get("TEST_DATABASE") or "sqlite"
    if vendor not in VENDORS:
        raise NoSuchDatabase(f"TEST_DATABASE={vendor} is not one of {', '.join(VENDORS)}")
    return vendor


def installed(vendor: str) -> bool:
    """Whether it is installed here."""
    return vendor == "sqlite" or SERVERS[vendor].available()


def described() -> bool:
    """Whether the environment names the database already, as in a worker process of a parallel test run."""
    return "CHRONIKER_TEST_DB_PORT" in os.environ or "CHRONIKER_TEST_DB_NAME" in os.environ


@contextmanager
def running() -> Iterator[None]:
    """Start the chosen database for this test run, and set the environment variables that ``configuration`` reads.

    Does nothing if they are set already.
    """
    vendor = chosen()
    if described():
        yield
    elif vendor == "sqlite":
        with tempfile.TemporaryDirectory(prefix="chroniker-sqlite-") as directory:
            yield from _with_environment("CHRONIKER_TEST_DB_NAME", str(Path(directory) / "db.sqlite3"))
    elif not installed(vendor):
        raise NoSuchDatabase(f"TEST_DATABASE={vendor}, but {vendor} is not installed here")
    else:
        with SERVERS[vendor]() as server:
            yield from _with_environment("CHRONIKER_TEST_DB_PORT", str(server.port))


def _with_environment(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def configuration() -> dict[str, Any]:
    """Django's settings for the chosen database. In processes that a test starts, the test database is the real one."""
    vendor = chosen()
    name = os.environ.get("CHRONIKER_TEST_DB_NAME", "chroniker")
    if vendor == "sqlite":
        file = str(Path(name).with_name("test-" + Path(name).name))
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": SQLITE_OPTIONS, "TEST": {"NAME": file}}
    user = os.environ.get("CHRONIKER_TEST_DB_USER")
    options = json.loads(os.environ.get(OPTIONS_VARIABLE, "{}"))
    server = {
        "NAME": name,
        "HOST": os.environ.get("CHRONIKER_TEST_DB_HOST", HOST),
        "PORT": os.environ.get("CHRONIKER_TEST_DB_PORT", ""),
    }
    if vendor == "postgres":
        engine = "django.db.backends.postgresql"
        return {**server, "ENGINE": engine, "USER": user or PostgresServer.user, "OPTIONS": options}
    charset = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_unicode_ci"}
    return {
        **server,
        "ENGINE": "django.db.backends.mysql",
        "USER": user or MariaDBServer.user,
        "OPTIONS": {"charset": "utf8mb4", **options},
        "TEST": charset,
    }

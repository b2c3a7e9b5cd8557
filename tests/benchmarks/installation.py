"""The servers and the Django project that a benchmark runs on: the tests' own, but durable."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support import ROOT
from tests.support.processes import with_settings
from tests.support.servers import MariaDBServer, PostgresServer, RedisServer, Server


class DurablePostgres(PostgresServer):
    """Commits reach the disk, as in production. If an option is given twice, the last one counts."""

    sessions = 200  #: at most

    def command(self) -> list[str]:
        counted = ["-c", "shared_preload_libraries=pg_stat_statements"] if self.counts_statements else []
        durable = ["-c", "fsync=on", "-c", "full_page_writes=on", "-c", "shared_buffers=512MB"]
        durable += ["-c", f"max_connections={self.sessions}"]
        return [*super().command(), *durable, *counted]

    @property
    def counts_statements(self) -> bool:
        """Whether this PostgreSQL has the module; Debian's has."""
        return any(self.bin.parent.glob("lib/**/pg_stat_statements.so"))


class DurableMariaDB(MariaDBServer):
    def command(self) -> list[str]:
        return [*super().command(), "--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=1G"]


SERVERS: Mapping[str, type[Server]] = {"postgres": DurablePostgres, "mariadb": DurableMariaDB}
DATABASES = ("postgres", "mariadb", "sqlite")
EXECUTORS: Mapping[str, dict[str, object]] = {
    "celery": {
        "BACKEND": "chroniker_celery.executor.CeleryExecutor",
        "OPTIONS": {"app": "tests.celeryapp:app"},
    },
    "dummy": {"BACKEND": "chroniker.executors.dummy.DummyExecutor"},
}


@contextmanager
def running(database: str, *, executor: str, sessions: int = DurablePostgres.sessions) -> Iterator[RedisServer]:
    """Start the servers, set Django up on them, and migrate an empty database; all of it is gone afterwards.

    ``sessions``: that PostgreSQL allows.
    """
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="chroniker-benchmark-"))
        broker = stack.enter_context(RedisServer())
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "TEST_DATABASE": database,
            "CHRONIKER_TEST_BROKER_URL": broker.url,
        }
        if database == "sqlite":
            os.environ["CHRONIKER_TEST_DB_NAME"] = str(Path(directory) / "db.sqlite3")
        else:
            server = SERVERS[database]()
            if isinstance(server, DurablePostgres):
                server.sessions = sessions
            os.environ["CHRONIKER_TEST_DB_PORT"] = str(stack.enter_context(server).port)
        settings = {"CHRONIKER_EXECUTORS": {"default": EXECUTORS[executor]}}
        os.environ.update(with_settings({}, **settings, CHRONIKER_RUNTIME_DIR=str(Path(directory) / "runtime")))
        _set_up()
        yield broker


def _set_up() -> None:
    import django

    django.setup()
    from django.db import connection

    import tests.celeryapp  # noqa: F401  its app becomes the current one

    connection.creation.create_test_db(verbosity=0, autoclobber=True)


def process_environ() -> dict[str, str]:
    """For processes that work on the benchmark's database, whose name is another than the settings'."""
    from django.db import connection

    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "CHRONIKER_TEST_DB_NAME": str(connection.settings_dict["NAME"]), "PYTHONPATH": path}

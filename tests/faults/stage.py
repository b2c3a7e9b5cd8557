"""What the faults are played on: servers, and ticks, beats and workers as processes, each behind wires of its own."""

from __future__ import annotations

import os
import random
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.installation import ROOT
from tests.brokers import REDIS_OPTIONS, SERVERS, Broker
from tests.faults.actors import CAST, Actor, enter
from tests.processes import with_settings
from tests.servers import FaultProxy, MariaDBServer, PostgresServer, Server

LEASE = 6.0
START_DEADLINE = 60.0
SETTINGS = {
    "CHRONIKER_LOCK_TIMEOUT": LEASE,
    "CHRONIKER_STOP_GRACE_SECONDS": 1,
    "CHRONIKER_REDISPATCH_SECONDS": 2,
    "CHRONIKER_START_DEADLINE_SECONDS": START_DEADLINE,
    "CHRONIKER_EXECUTORS": {
        "default": {
            "BACKEND": "chroniker_celery.executor.CeleryExecutor",
            "OPTIONS": {"app": "tests.celeryapp:app", "timeout": 3},
        }
    },
}
#: A message that a worker holds back comes again to another one long before a run ends.
POST_OPTIONS = {**REDIS_OPTIONS, "visibility_timeout": 3}
DATABASES: Mapping[str, type[Server]] = {"postgres": PostgresServer, "mariadb": MariaDBServer}


@dataclass
class Stage:
    """``actors`` play; ``revive`` starts again what was killed, as an init system would."""

    directory: Path
    database: Server | None
    broker: Broker
    actors: list[Actor]

    @property
    def witness(self) -> Path:
        return self.directory / "witness"

    def revive(self, number: int) -> None:
        process = self.actors[number].process
        if not process.running():
            with suppress(AssertionError):  # its database or broker is away; the next call tries again
                process.start()

    def calm(self) -> None:
        """Every wire whole, every process awake."""
        for actor in self.actors:
            for wire in actor.wires.values():
                wire.set("pass")
            for pid in actor.everybody():
                with suppress(OSError):
                    os.kill(pid, signal.SIGCONT)

    def some(self, dice: random.Random, role: str) -> Actor:
        return dice.choice([actor for actor in self.actors if actor.role == role])


#: It breaks something, waits, mends it, and returns what it did, in words.
Fault = Callable[[Stage, random.Random], str]


@contextmanager
def set_up(database: str, broker: str, *, without: str = "") -> Iterator[Stage]:
    """Servers started, an empty database migrated, all processes running. Ends with nothing left behind."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chroniker-faults-")))
        server = stack.enter_context(DATABASES[database]()) if database in DATABASES else None
        post = Broker(SERVERS[broker](), POST_OPTIONS if broker == "redis" else {})
        stack.enter_context(post.server)
        os.environ |= {
            **with_settings({}, **SETTINGS, CHRONIKER_RUNTIME_DIR=str(directory / "runtime-judge")),
            **post.environ(),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "TEST_DATABASE": database,
            "CHRONIKER_TEST_WITNESS": str(directory / "witness"),
            "CHRONIKER_TEST_WITHOUT": without,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }
        if server is None:
            os.environ["CHRONIKER_TEST_DB_NAME"] = str(directory / "db.sqlite3")
        else:
            os.environ["CHRONIKER_TEST_DB_PORT"] = str(server.port)
        _migrate()
        yield _with_actors(stack, directory, server, post)


def _migrate() -> None:
    import django

    django.setup()
    from django.db import connection

    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    os.environ["CHRONIKER_TEST_DB_NAME"] = str(connection.settings_dict["NAME"])


def _with_actors(stack: ExitStack, directory: Path, server: Server | None, post: Broker) -> Stage:
    stage = Stage(directory, server, post, [])
    for part in CAST:
        wires = {"broker": stack.enter_context(FaultProxy(post.server.port))}
        if server is not None:
            wires["database"] = stack.enter_context(FaultProxy(server.port))
        on = part if server is not None else replace(part, host="here")
        stage.actors.append(enter(on, wires, post, directory))
    stack.callback(_all_at_once, [actor.process.stop for actor in stage.actors])
    _all_at_once([actor.process.start for actor in stage.actors])
    return stage


def _all_at_once(calls: Sequence[Callable[[], object]]) -> None:
    """Raises what one of them raises, once all are through."""
    with ThreadPoolExecutor(len(calls)) as pool:
        for answer in [pool.submit(call) for call in calls]:
            answer.result()

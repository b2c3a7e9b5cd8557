"""What the faults are played on: servers, and ticks, beats and workers as processes, each behind wires of its own."""

from __future__ import annotations

import os
import random
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.benchmarks.installation import ROOT
from tests.brokers import REDIS_OPTIONS, SERVERS, Broker
from tests.celeryproc import CeleryBeat, CeleryWorker
from tests.processes import ManagementCommand, Process, with_settings
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
DATABASES: Mapping[str, type[Server]] = {"postgres": PostgresServer, "mariadb": MariaDBServer}


@dataclass
class Actor:
    """One process of the scheduler, with the wires by which it reaches database and broker."""

    role: str  # "tick", "beat" or "worker"
    process: Process
    wires: Mapping[str, FaultProxy] = field(default_factory=dict)


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
            for pid in [actor.process.pid, *(each.pid for each in actor.process.children())]:
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
        post = Broker(SERVERS[broker](), REDIS_OPTIONS if broker == "redis" else {})
        stack.enter_context(post.server)
        os.environ |= {
            **with_settings({}, **SETTINGS, CHRONIKER_RUNTIME_DIR=str(directory / "runtime")),
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
    for role, count in {"tick": 2, "beat": 1, "worker": 3}.items():
        for number in range(count):
            wires = {"broker": stack.enter_context(FaultProxy(post.server.port))}
            if server is not None:
                wires["database"] = stack.enter_context(FaultProxy(server.port))
            process = _process(role, number, _environ(post, wires), directory)
            stage.actors.append(Actor(role, process, wires))
            stack.enter_context(process)
    return stage


def _environ(post: Broker, wires: Mapping[str, FaultProxy]) -> dict[str, str]:
    parts = urlsplit(post.url)
    address = parts.netloc.replace(f":{post.server.port}", f":{wires['broker'].port}")
    env = {**os.environ, **post.environ(url=urlunsplit(parts._replace(netloc=address)))}
    if "database" in wires:
        env["CHRONIKER_TEST_DB_PORT"] = str(wires["database"].port)
    return env


def _process(role: str, number: int, env: dict[str, str], directory: Path) -> Process:
    if role == "tick":
        return ManagementCommand("cronserver", "1", env=env, directory=directory)
    if role == "beat":
        own = directory / f"beat-{number}"
        own.mkdir()
        return CeleryBeat(env, own)
    pool = "threads" if number == 2 else "prefork"
    return CeleryWorker(env, directory, pool=pool, concurrency=3)

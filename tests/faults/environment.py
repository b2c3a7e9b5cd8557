"""What the faults are played on: servers, and ticks, beats and workers as processes, each behind wires of its own."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock

from tests.faults import administrator, mutations
from tests.faults.actors import LAYOUT, Actor, create_actor
from tests.support import ROOT
from tests.support.brokers import REDIS_OPTIONS, SERVERS, Broker
from tests.support.processes import with_settings
from tests.support.servers import (
    HOST,
    Dialogue,
    FaultProxy,
    MariaDBDialogue,
    MariaDBServer,
    OwnNetwork,
    PostgresDialogue,
    PostgresServer,
    Server,
    WrongClock,
)

LEASE = 6.0
#: Time for eleven messages: that many are hardly ever lost one after the other.
START_DEADLINE = 240.0
SETTINGS = {
    "CHRONIKER_LOCK_TIMEOUT": LEASE,
    "CHRONIKER_STOP_GRACE_SECONDS": 1,
    "CHRONIKER_REDISPATCH_SECONDS": 10,
    "CELERY_WORKER_PREFETCH_MULTIPLIER": 1,  # as the system check has it
    "CHRONIKER_EXECUTORS": {
        "default": {
            "BACKEND": "chroniker_celery.executor.CeleryExecutor",
            "OPTIONS": {"app": "tests.celeryapp:app", "timeout": 3},
        }
    },
}
#: A message that a worker holds back comes again to another one before the longest runs end; not so soon that what
#: comes again, before all that waits, is all that ever comes.
BROKER_OPTIONS = {**REDIS_OPTIONS, "visibility_timeout": 15}
DATABASES: Mapping[str, type[Server]] = {"postgres": PostgresServer, "mariadb": MariaDBServer}
HOST_WITH_WRONG_CLOCK = "birch"
PROCESS_WITH_OWN_NETWORK = LAYOUT[2]
DIALOGUES: Mapping[str, Callable[[], Dialogue]] = {"postgres": PostgresDialogue, "mariadb": MariaDBDialogue}


class Busy(Exception):
    """It is, or was just now, at fault in another way: what comes on top of that would only be one long outage."""


@dataclass
class Environment:
    """``actors`` play; ``revive`` starts again what was killed, as an init system would."""

    directory: Path
    database: Server | None
    broker: Broker
    actors: list[Actor]
    checker_proxy: FaultProxy | None = None  # never faulty: for the faults themselves, and the checker
    host_clock: WrongClock | None = None  # of one of the hosts; the other's is right
    database_clock: WrongClock | None = None
    start_deadline: float = START_DEADLINE
    releases: int = 0
    has_burst: bool = False
    over: Event = field(default_factory=Event)  # no more faults
    deploying: Lock = field(default_factory=Lock)
    _at_fault: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _rests_until: dict[str, float] = field(default_factory=dict)  # monotonic

    @contextmanager
    def exclusive(self, what: str, rest: float = LEASE) -> Iterator[None]:
        """One fault at a time for a server, a clock, or whatever else can be at fault in one way only.

        Afterwards it is left alone for so many seconds. Raises ``Spared`` while it is at fault, or rests.
        """
        if not self._at_fault[what].acquire(blocking=False):
            raise Busy
        try:
            if time.monotonic() < self._rests_until.get(what, 0.0):
                raise Busy
            yield
            self._rests_until[what] = time.monotonic() + rest
        finally:
            self._at_fault[what].release()

    def redirect_to(self, server: Server) -> None:
        """All wires that end at this server lead to its port: it may be another one since it was started again."""
        name = "broker" if server is self.broker.server else "database"
        wires = [actor.proxies[name] for actor in self.actors]
        if name == "database" and self.checker_proxy is not None:
            wires.append(self.checker_proxy)
        for wire in wires:
            if wire.upstream[1] != server.port:
                wire.move(server.port)

    def replace_database(self, server: Server) -> None:
        """Another server takes the place of the database, which goes."""
        before, self.database = self.database, server
        if self.database_clock is not None:
            self.database_clock = server.clock
        self.redirect_to(server)
        if before is not None:
            before.stop()

    def stop_database(self) -> None:
        if self.database is not None:
            self.database.stop()

    @property
    def failpoints(self) -> Path:
        return self.directory / "failpoints"

    @property
    def mutation_calls(self) -> Path:
        return self.directory / "mutation-called"

    @property
    def witness(self) -> Path:
        return self.directory / "witness"

    def restart(self, number: int) -> None:
        process = self.actors[number].process
        if not process.running():
            with suppress(AssertionError):  # its database or broker is away; the next call tries again
                process.start()

    def calm(self) -> None:
        """Every wire whole, every process awake, every clock right, and connections of one's own that are new."""
        for clock in (self.host_clock, self.database_clock):
            if clock is not None:
                clock.set(0)
        for actor in self.actors:
            for wire in actor.proxies.values():
                wire.set("pass")
            if actor.network is not None:
                actor.network.mend()
            for pid in actor.pids():
                with suppress(OSError):
                    os.kill(pid, signal.SIGCONT)
        administrator.wait_for_database()

    def choose(self, rng: random.Random, role: str) -> Actor:
        return rng.choice([actor for actor in self.actors if actor.role == role])


#: It breaks something, waits, mends it, and returns what it did, in words.
Fault = Callable[[Environment, random.Random], str]


@contextmanager
def create(
    database: str, broker: str, *, without: str = "", clocks: bool = False, start_deadline: float = START_DEADLINE
) -> Iterator[Environment]:
    """Servers started, an empty database migrated, all processes running. Ends with nothing left behind.

    With ``clocks`` those of one host and of the database can be set wrong, where ``libfaketime`` is installed.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chroniker-faults-")))
        may_err = clocks and WrongClock.available()
        server = stack.enter_context(DATABASES[database](may_err=may_err)) if database in DATABASES else None
        post = Broker(SERVERS[broker](), BROKER_OPTIONS if broker == "redis" else {})
        stack.enter_context(post.server)
        os.environ |= {
            **with_settings(
                {},
                **SETTINGS,
                CHRONIKER_START_DEADLINE_SECONDS=start_deadline,
                CHRONIKER_RUNTIME_DIR=str(directory / "runtime-checker"),
            ),
            **post.environ(),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "TEST_DATABASE": database,
            "CHRONIKER_TEST_WITNESS": str(directory / "witness"),
            "CHRONIKER_TEST_WITHOUT": without,
            mutations.CALLS_VARIABLE: str(directory / "mutation-called"),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }
        if server is None:
            os.environ["CHRONIKER_TEST_DB_NAME"] = str(directory / "db.sqlite3")
        own_wire = stack.enter_context(FaultProxy(server.port)) if server is not None else None
        if own_wire is not None:
            os.environ["CHRONIKER_TEST_DB_PORT"] = str(own_wire.port)
        _migrate()
        administrator.create_actor_account()
        environment = Environment(directory, server, post, [], own_wire, start_deadline=start_deadline)
        environment.failpoints.mkdir()
        stack.callback(environment.stop_database)
        if may_err:
            _give_clocks(environment)
        _start_processes(environment, stack, DIALOGUES.get(database))
        yield environment


def _migrate() -> None:
    import django

    django.setup()
    from django.db import connection

    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    os.environ["CHRONIKER_TEST_DB_NAME"] = str(connection.settings_dict["NAME"])


def _give_clocks(environment: Environment) -> None:
    """SQLite has no clock of its own but those of its processes, and these have one together."""
    if environment.database is None:
        environment.database_clock = WrongClock(environment.directory / "clock")
    else:
        environment.database_clock = environment.database.clock
        environment.host_clock = WrongClock(environment.directory / "clock")


def _start_processes(environment: Environment, stack: ExitStack, dialogue: Callable[[], Dialogue] | None) -> None:
    for part in LAYOUT:
        apart = part == PROCESS_WITH_OWN_NETWORK and environment.database is not None and OwnNetwork.available()
        network = stack.enter_context(OwnNetwork()) if apart else None
        host = network.address if network else HOST
        wires = {"broker": stack.enter_context(FaultProxy(environment.broker.server.port, host=host))}
        if environment.database is not None:
            wires["database"] = stack.enter_context(FaultProxy(environment.database.port, host=host, dialogue=dialogue))
        on = part if environment.database is not None else replace(part, host="here")
        actor = create_actor(on, wires, environment.broker, environment.directory)
        clock = environment.database_clock if environment.database is None else environment.host_clock
        if clock is not None and (environment.database is None or on.host == HOST_WITH_WRONG_CLOCK):
            actor.process.env |= clock.environ()
        if network is not None:
            actor.network, actor.process.prefix = network, network.prefix
        environment.actors.append(actor)
    stack.callback(_in_parallel, [actor.process.stop for actor in environment.actors])
    _in_parallel([actor.process.start for actor in environment.actors])


def _in_parallel(calls: Sequence[Callable[[], object]]) -> None:
    """Raises what one of them raises, once all are through."""
    with ThreadPoolExecutor(len(calls)) as pool:
        for answer in [pool.submit(call) for call in calls]:
            answer.result()

"""Starts the installation under test: servers, ticks, beats and workers as processes, each with its own proxies."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from tests.faults import administrator, mutations
from tests.faults.actors import LAYOUT, create_actor
from tests.faults.configurations import Configuration
from tests.faults.environment import LEASE, START_DEADLINE, Environment
from tests.support import ROOT, databases
from tests.support.brokers import REDIS_OPTIONS, SERVERS, Broker
from tests.support.processes import with_settings
from tests.support.servers import (
    HOST,
    Dialogue,
    FaultProxy,
    MariaDBDialogue,
    MariaDBServer,
    OwnNetwork,
    PgBouncerServer,
    PostgresDialogue,
    PostgresServer,
    Server,
    WrongClock,
)

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
POOL_SIZE = 20  #: sessions of PgBouncer for all processes
DATABASES: Mapping[str, type[Server]] = {"postgres": PostgresServer, "mariadb": MariaDBServer}
HOST_WITH_WRONG_CLOCK = "birch"
PROCESS_WITH_OWN_NETWORK = LAYOUT[2]
DIALOGUES: Mapping[str, Callable[[], Dialogue]] = {"postgres": PostgresDialogue, "mariadb": MariaDBDialogue}


@contextmanager
def create(
    database: str,
    broker: str,
    configuration: Configuration,
    *,
    without: str = "",
    clocks: bool = False,
    start_deadline: float = START_DEADLINE,
) -> Iterator[Environment]:
    """Start the servers, migrate an empty database, start all processes; at the end stop and remove all of them.

    With ``clocks`` those of one host and of the database can be set wrong, where ``libfaketime`` is installed.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chroniker-faults-")))
        may_err = clocks and WrongClock.available()
        server = stack.enter_context(DATABASES[database](may_err=may_err)) if database in DATABASES else None
        post = Broker(SERVERS[broker](), BROKER_OPTIONS if broker == "redis" else {})
        stack.enter_context(post.server)
        os.environ |= _environ(directory, post, configuration, start_deadline)
        os.environ |= {"TEST_DATABASE": database, "CHRONIKER_TEST_WITHOUT": without}
        checker_proxy = _way_of_the_checker(directory, server, stack)
        _migrate()
        environment = Environment(
            directory,
            server,
            post,
            [],
            checker_proxy,
            start_deadline=start_deadline,
            lease=max(LEASE, configuration.longest_lease),
            by_lease=configuration.by_lease and server is not None,
        )
        if configuration.pooler:
            _start_pooler(environment, stack)
        stack.callback(environment.stop_database)
        if may_err:
            _give_clocks(environment)
        _start_processes(environment, configuration, stack, DIALOGUES.get(database))
        yield environment


def _way_of_the_checker(directory: Path, server: Server | None, stack: ExitStack) -> FaultProxy | None:
    """How this process reaches the database: a file, or a proxy before the server."""
    if server is None:
        os.environ["CHRONIKER_TEST_DB_NAME"] = str(directory / "db.sqlite3")
        return None
    proxy = stack.enter_context(FaultProxy(server.port))
    os.environ["CHRONIKER_TEST_DB_PORT"] = str(proxy.port)
    return proxy


def _start_pooler(environment: Environment, stack: ExitStack) -> None:
    if environment.database is not None:
        environment.pooler_proxy = stack.enter_context(FaultProxy(environment.database.port))
        pooler = stack.enter_context(PgBouncerServer(environment.pooler_proxy.port, pool_size=POOL_SIZE))
        environment.database_port = pooler.port


def _environ(directory: Path, post: Broker, configuration: Configuration, start_deadline: float) -> dict[str, str]:
    """What all processes have in common, this one included."""
    settings = {
        **SETTINGS,
        "CHRONIKER_START_DEADLINE_SECONDS": start_deadline,
        "CHRONIKER_RUNTIME_DIR": str(directory / "runtime-checker"),
        **configuration.settings,
    }
    return {
        **with_settings({}, **settings),
        **post.environ(),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "CHRONIKER_TEST_WITNESS": str(directory / "witness"),
        mutations.CALLS_VARIABLE: str(directory / "mutation-called"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }


def _migrate() -> None:
    import django

    django.setup()
    from django.db import connection

    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    os.environ["CHRONIKER_TEST_DB_NAME"] = str(connection.settings_dict["NAME"])
    administrator.create_actor_account()


def _give_clocks(environment: Environment) -> None:
    """SQLite has no clock of its own but those of its processes, and these have one together."""
    if environment.database is None:
        environment.database_clock = WrongClock(environment.directory / "clock")
    else:
        environment.database_clock = environment.database.clock
        environment.host_clock = WrongClock(environment.directory / "clock")


def _start_processes(
    environment: Environment,
    configuration: Configuration,
    stack: ExitStack,
    dialogue: Callable[[], Dialogue] | None,
) -> None:
    environment.failpoints.mkdir()
    for spec in configuration.layout:
        separate = spec == PROCESS_WITH_OWN_NETWORK and environment.database is not None and OwnNetwork.available()
        network = stack.enter_context(OwnNetwork()) if separate else None
        address = network.address if network else HOST
        proxies = {"broker": stack.enter_context(FaultProxy(environment.broker.server.port, host=address))}
        if environment.database is not None:
            proxies["database"] = stack.enter_context(
                FaultProxy(environment.database_port or environment.database.port, host=address, dialogue=dialogue)
            )
        on = spec if environment.database is not None else replace(spec, host="here")
        settings = configuration.settings_of.get(on.host, {})
        actor = create_actor(on, proxies, environment.broker, environment.directory, settings)
        clock = environment.database_clock if environment.database is None else environment.host_clock
        actor.process.env[databases.OPTIONS_VARIABLE] = json.dumps(dict(configuration.database_options))
        if clock is not None and (environment.database is None or on.host == HOST_WITH_WRONG_CLOCK):
            actor.process.env |= clock.environ()
        if network is not None:
            actor.network, actor.process.prefix = network, network.prefix
        environment.actors.append(actor)
    stack.callback(_in_parallel, [actor.process.stop for actor in environment.actors])
    _in_parallel([actor.process.start for actor in environment.actors])


def _in_parallel(calls: Sequence[Callable[[], object]]) -> None:
    """Raise the first error of any of them, once all have ended."""
    with ThreadPoolExecutor(len(calls)) as pool:
        for answer in [pool.submit(call) for call in calls]:
            answer.result()

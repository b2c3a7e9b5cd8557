"""Real servers for tests and benchmarks, on free ports of loopback; they end with the process that started them."""

from __future__ import annotations

from tests.support.servers.base import HOST, Server, ServerFailed, ServerUnavailable
from tests.support.servers.commits import Dialogue, MariaDBDialogue, PostgresDialogue
from tests.support.servers.fault_proxy import FaultProxy, Mode, Way
from tests.support.servers.mariadb import MariaDBServer
from tests.support.servers.own_network import OwnNetwork
from tests.support.servers.pgbouncer import PgBouncerServer
from tests.support.servers.postgres import PostgresServer, PostgresStandby
from tests.support.servers.rabbitmq import RabbitMQServer
from tests.support.servers.redis import RedisServer
from tests.support.servers.wrong_clock import WrongClock

__all__ = [
    "HOST",
    "Dialogue",
    "FaultProxy",
    "MariaDBDialogue",
    "MariaDBServer",
    "Mode",
    "OwnNetwork",
    "PgBouncerServer",
    "PostgresDialogue",
    "PostgresServer",
    "PostgresStandby",
    "RabbitMQServer",
    "RedisServer",
    "Server",
    "ServerFailed",
    "ServerUnavailable",
    "Way",
    "WrongClock",
]

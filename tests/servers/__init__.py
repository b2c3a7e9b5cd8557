"""Real servers for tests and benchmarks, on free ports of loopback; they end with the process that started them."""

from __future__ import annotations

from tests.servers.base import HOST, Server, ServerFailed, ServerUnavailable
from tests.servers.commits import Dialogue, MariaDBDialogue, PostgresDialogue
from tests.servers.fault_proxy import FaultProxy, Mode, Way
from tests.servers.mariadb import MariaDBServer
from tests.servers.own_network import OwnNetwork
from tests.servers.postgres import PostgresServer, PostgresStandby
from tests.servers.rabbitmq import RabbitMQServer
from tests.servers.redis import RedisServer
from tests.servers.wrong_clock import WrongClock

__all__ = [
    "HOST",
    "Dialogue",
    "FaultProxy",
    "MariaDBDialogue",
    "MariaDBServer",
    "Mode",
    "OwnNetwork",
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

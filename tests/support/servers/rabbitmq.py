"""RabbitMQ, as installed by the system."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from tests.support.servers.base import HOST, Server, free_port, program

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01"


def binary() -> Path | None:
    # The wrapper on PATH changes to the user rabbitmq; the script that it calls does not.
    return program("CHRONIKER_TEST_RABBITMQ_SERVER", "/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMQServer(Server):
    """A separate node with its own port mapper (epmd), which ends with it."""

    name = "rabbitmq"

    def __init__(self, *, may_err: bool = False) -> None:
        super().__init__(may_err=may_err)
        self.distribution_port = free_port()
        self.mapper_port = free_port()

    @classmethod
    def available(cls) -> bool:
        return binary() is not None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{HOST}:{self.port}//"

    def environ(self) -> Mapping[str, str]:
        directory = self.directory
        return {
            "RABBITMQ_NODENAME": f"chroniker{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory / "logs"),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_ADDRESS": HOST,
            "RUNNING_UNDER_SYSTEMD": "1",  # the script then becomes the server, so signals reach it
        }

    def prepare(self) -> None:
        (self.directory / "enabled_plugins").write_text("[].\n")

    def command(self) -> list[str]:
        config = self.directory / "rabbitmq.conf"
        config.write_text(f"listeners.tcp.1 = {HOST}:{self.port}\ndisk_free_limit.absolute = 50MB\n")
        return [str(binary())]

    def ready(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=5) as connection:
                connection.sendall(PROTOCOL_HEADER)
                return connection.recv(1) == METHOD_FRAME
        except OSError:
            return False

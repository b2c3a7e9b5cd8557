"""The services of ``docker/compose.yaml``, and the variables of its processes with servers that run here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from tests.support import ROOT
from tests.support.servers import PostgresServer, RedisServer
from tests.support.servers.base import HOST

DOCKER = ROOT / "docker"


def load(name: str) -> dict[str, Any]:
    """The services, with the secrets filled in."""
    text = re.sub(r"\$\{(\w+):\?set it\}", lambda found: f"secret of {found[1]}", (DOCKER / name).read_text())
    assert "${" not in text, "a secret with a default"
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


BASE = load("compose.yaml")
OURS = {name: service for name, service in BASE.items() if name not in ("database", "broker")}


@contextmanager
def variables_of(postgres_server: PostgresServer, redis_server: RedisServer) -> Iterator[dict[str, str]]:
    """The variables of the file, with a database of these servers and an empty broker."""
    import psycopg

    server: dict[str, Any] = {"host": HOST, "port": postgres_server.port, "user": postgres_server.user}
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as connection:
        connection.execute("CREATE ROLE demo LOGIN")
        connection.execute("CREATE DATABASE demo OWNER demo")
    redis_server.reset()
    yield {
        **BASE["setup"]["environment"],
        "POSTGRES_HOST": HOST,
        "POSTGRES_PORT": str(postgres_server.port),
        "CELERY_BROKER_URL": redis_server.url,
    }
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE demo WITH (FORCE)")
        connection.execute("DROP ROLE demo")

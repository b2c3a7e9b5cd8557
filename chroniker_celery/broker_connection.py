"""Connections to the broker with short timeouts.

A connection of the app's pool is not used: it may be broken, and its timeouts and retries are those of the project's
settings.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from celery import Celery

#: ``kombu.Connection``: its stubs are of an older version.
Connection: TypeAlias = Any

#: Transport options that limit a single operation, by driver. Other drivers keep their own limits.
_TIMEOUT_OPTIONS: dict[str, tuple[str, ...]] = {
    "redis": ("socket_connect_timeout", "socket_timeout"),
    "amqp": ("read_timeout", "write_timeout"),
}
#: A connection is opened again after this time, so that a process follows a change of the broker's address.
MAX_CONNECTION_AGE_SECONDS = 60.0
#: Drivers that replace a connection which the broker has closed, and that have no heartbeats.
_DRIVERS_WITH_CONNECTION_REUSE = frozenset({"redis"})


class _KeptConnection(NamedTuple):
    link: Connection
    opened_at: float


#: Idle connections by process, app, URL and timeout: a fork uses none of its parent's connections.
_idle_connections: dict[tuple[int, Celery, str, float], _KeptConnection] = {}


@contextmanager
def open_broker_connection(app: Celery, timeout: float) -> Iterator[Connection]:
    """An established connection. No operation on it takes longer than ``timeout`` seconds.

    Raises the transport's exception after one more attempt for each of the app's brokers, or after ``timeout``.
    """
    with _discard_connection_after_error(app.connection_for_write(connect_timeout=timeout)) as link:
        _open_connection(link, timeout)
        yield link
    link.release()


@contextmanager
def open_or_reuse_broker_connection(app: Celery, timeout: float) -> Iterator[Connection]:
    """Like ``open_broker_connection``, but uses the connection of an earlier call if that is at most a minute old.

    For messages only. A connection is kept if its driver replaces closed connections, and no exception was raised. It
    stays open until the next call.
    """
    key = (os.getpid(), app, str(app.conf.broker_write_url), timeout)
    kept = _idle_connections.pop(key, None)
    if kept is not None and time.monotonic() - kept.opened_at >= MAX_CONNECTION_AGE_SECONDS:
        kept.link.release()
        kept = None
    if kept is None:
        kept = _KeptConnection(app.connection_for_write(connect_timeout=timeout), time.monotonic())
    with _discard_connection_after_error(kept.link) as link:
        if not link.connected:
            _open_connection(link, timeout)
        yield link
    if (
        link.transport.driver_type not in _DRIVERS_WITH_CONNECTION_REUSE
        or _idle_connections.setdefault(key, kept) is not kept
    ):
        link.release()


@contextmanager
def _discard_connection_after_error(link: Connection) -> Iterator[Connection]:
    try:
        yield link
    except BaseException:
        link.collect()  # without a closing handshake: the broker may not answer
        raise


def _open_connection(link: Connection, timeout: float) -> None:
    link.transport_options.update(dict.fromkeys(_TIMEOUT_OPTIONS.get(link.transport.driver_type, ()), timeout))
    tries = len(getattr(link, "alt", None) or [link])
    link.ensure_connection(max_retries=tries, interval_start=0.1, interval_step=0.1, timeout=timeout)

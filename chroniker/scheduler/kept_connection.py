"""Keeps the database connection of a process that ticks, whatever the value of ``CONN_MAX_AGE``."""

from __future__ import annotations

from typing import Any

from django.db import connections

from chroniker.conf import settings
from chroniker.process.kernel import host_clock

#: A connection is opened again after this time, so that a process follows a change of the server's address.
MAX_CONNECTION_SECONDS = 60.0


class PersistentConnection:
    """Call ``release`` after each pass: it closes old connections, as Django does after each request.

    The next pass is only some seconds later, and a new connection costs more than a pass without work. A connection is
    not kept if it has failed, is old or belongs to a pool.
    """

    def __init__(self) -> None:
        self._raw: Any = None
        self._since = 0.0

    def release(self) -> None:
        for connection in connections.all(initialized_only=True):
            if connection.alias != settings.database or not self._is_kept(connection):
                connection.close_if_unusable_or_obsolete()

    def _is_kept(self, connection: Any) -> bool:
        if connection.errors_occurred or connection.settings_dict["OPTIONS"].get("pool"):
            return False
        if connection.connection is not self._raw:
            self._raw, self._since = connection.connection, host_clock.monotonic()
        return host_clock.monotonic() - self._since < MAX_CONNECTION_SECONDS

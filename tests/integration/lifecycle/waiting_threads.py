"""PostgreSQL: threads that wait for a lock of the test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection, connections

#: Other test processes may use other databases of the same server.
_SESSIONS_OF_THIS_DATABASE = """
    SELECT pid FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def in_another_thread(step: Callable[[], Any], results: list[Any]) -> threading.Thread:
    """Returns when the step waits for a lock of this thread's transaction."""

    def run() -> None:
        try:
            results.append(step())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    with connection.cursor() as cursor:
        while thread.is_alive():
            cursor.execute(f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN ({_SESSIONS_OF_THIS_DATABASE})")
            if cursor.fetchone()[0]:
                break
    return thread

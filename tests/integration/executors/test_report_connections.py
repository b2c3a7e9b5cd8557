"""Reports of runs share connections that are kept for a short time, and never a broken or a foreign one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.test import override_settings

from chroniker.conf import settings
from chroniker.executors import report_connections
from chroniker.executors.database_report import DatabaseReport
from chroniker.executors.report_connections import (
    borrow_connection,
    close_idle_connections,
    has_idle_connection,
    retry_on_connection_error,
)
from tests.support.processes import wait_until

# Connections to a file are not kept.
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.every_database,
    pytest.mark.database("postgres", "mariadb"),
]

SESSION = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT CONNECTION_ID()"}
END = {"postgresql": "SELECT pg_terminate_backend(%s)", "mysql": "KILL %s"}


@pytest.fixture(autouse=True)
def none_is_kept() -> Iterator[None]:
    close_idle_connections()
    yield
    close_idle_connections()


def in_a_thread(step: Callable[[], Any]) -> Any:
    """The result of ``step`` in a new thread, as of a reporter; with its own connections closed afterwards."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(step())
        except BaseException as error:
            results.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


def session() -> int:
    """The server's number of the current thread's session."""
    with connection.cursor() as cursor:
        cursor.execute(SESSION[connection.vendor])
        return int(cursor.fetchone()[0])


def borrowed_session() -> int:
    with borrow_connection():
        return session()


def end_session(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(END[connection.vendor], [number])


def is_connected(number: int) -> bool:
    rows = {"postgresql": "SELECT pid FROM pg_stat_activity", "mysql": "SELECT id FROM information_schema.processlist"}
    with connection.cursor() as cursor:
        cursor.execute(rows[connection.vendor])
        return (number,) in [tuple(map(int, row)) for row in cursor.fetchall() if row[0]]


def test_one_thread_after_another_uses_the_same_connection() -> None:
    first = in_a_thread(borrowed_session)
    assert in_a_thread(borrowed_session) == first != session()


def test_reports_of_two_runs_use_the_same_connection() -> None:
    sessions = []

    def report() -> None:
        assert DatabaseReport(uuid4(), 1).store_output([]) is False
        sessions.append(borrowed_session())

    for _run in range(2):
        in_a_thread(report)
    assert sessions[0] == sessions[1]


def test_two_reports_at_the_same_moment_use_two_connections() -> None:
    def outer() -> tuple[int, int]:
        with borrow_connection():
            return session(), in_a_thread(borrowed_session)

    first, second = in_a_thread(outer)
    assert first != second


def test_a_connection_that_the_server_has_closed_is_not_used() -> None:
    first = in_a_thread(borrowed_session)
    end_session(first)
    wait_until(lambda: not is_connected(first), what="the session has ended")
    assert in_a_thread(borrowed_session) != first


def test_after_an_error_no_connection_is_kept() -> None:
    def fail() -> None:
        with borrow_connection(), connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column")

    def two_at_once() -> None:
        with borrow_connection():
            session()
            in_a_thread(borrowed_session)

    in_a_thread(two_at_once)
    with pytest.raises(DatabaseError):
        in_a_thread(fail)
    assert not has_idle_connection()


def test_a_connection_in_an_open_transaction_is_not_kept() -> None:
    def leave_open() -> None:
        with borrow_connection():
            transaction.set_autocommit(False)
            session()

    in_a_thread(leave_open)
    assert not has_idle_connection()


def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_connections, "max_idle_seconds", lambda: 0.1)
    number = in_a_thread(borrowed_session)
    wait_until(lambda: not has_idle_connection() and not is_connected(number), what="the connection was closed")


@pytest.mark.parametrize("lease", [6, 60, 90])
def test_a_long_run_keeps_its_connection_between_two_renewals(lease: float) -> None:
    with override_settings(CHRONIKER_LOCK_TIMEOUT=lease):
        assert report_connections.max_idle_seconds() > settings.heartbeat.total_seconds() * 1.2


def test_a_long_lease_does_not_keep_idle_connections_for_long() -> None:
    with override_settings(CHRONIKER_LOCK_TIMEOUT=3_600):
        assert report_connections.max_idle_seconds() == report_connections.MOST_IDLE_SECONDS


def test_a_fork_uses_no_connection_of_its_parent() -> None:
    number = in_a_thread(borrowed_session)
    child = os.fork()
    if not child:
        os._exit(int(has_idle_connection()))
    assert os.waitpid(child, 0)[1] == 0
    assert in_a_thread(borrowed_session) == number, "and the parent goes on with it"


def test_an_open_connection_of_the_thread_stays_in_use() -> None:
    def own() -> bool:
        number = session()
        return borrowed_session() == number

    assert in_a_thread(own)
    assert not has_idle_connection()


def test_a_pooled_connection_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_connections, "is_pooled", lambda connection: True)
    in_a_thread(borrowed_session)
    assert not has_idle_connection()


@pytest.mark.parametrize("errors", [1, 2])
def test_a_step_is_tried_twice(errors: int) -> None:
    calls = []

    def step() -> int:
        calls.append(session())
        if len(calls) <= errors:
            raise OperationalError("the connection was lost")
        return len(calls)

    if errors == 1:
        assert in_a_thread(partial(retry_on_connection_error, step)) == 2
    else:
        with pytest.raises(OperationalError):
            in_a_thread(partial(retry_on_connection_error, step))
    assert len(calls) == 2
    assert calls[0] != calls[1]

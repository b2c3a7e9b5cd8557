"""Callbacks of ``transaction.on_commit`` within a test whose own transaction is rolled back.

Django's ``TestCase``, and the fixture ``db`` of pytest-django, run a test in a transaction that is never committed. So
the callbacks of the code under test would never run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db import connections

logger = logging.getLogger(__name__)


@contextmanager
def run_commit_callbacks(using: str) -> Iterator[None]:
    """Within this block a callback runs when only the transactions of the test are open, as after a real commit.

    Callbacks that were registered before the block are left alone. Without a transaction of the test it has no effect.
    """
    connection: Any = connections[using]
    if not connection.in_atomic_block:
        yield
        return
    if not _are_only_test_transactions_open(connection):
        raise RuntimeError("A transaction is open: leave transaction.atomic() before using chroniker.testing.")
    earlier = list(connection.run_on_commit)
    real_on_commit, real_savepoint_commit = connection.on_commit, connection.savepoint_commit

    def run_callbacks() -> None:
        while _are_only_test_transactions_open(connection) and (entry := _take_new_callback(connection, earlier)):
            _run_callback(*entry[1:])

    def on_commit(func: Callable[[], object], robust: bool = False) -> None:
        real_on_commit(func, robust)
        run_callbacks()

    def savepoint_commit(sid: str) -> None:
        real_savepoint_commit(sid)
        run_callbacks()

    with (
        mock.patch.object(connection, "on_commit", on_commit),
        mock.patch.object(connection, "savepoint_commit", savepoint_commit),
    ):
        yield


def _run_callback(func: Callable[[], object], robust: bool) -> None:
    """As Django does: an error of a robust callback is logged."""
    try:
        func()
    except Exception:
        if not robust:
            raise
        logger.exception("A callback of on_commit failed.")


def _are_only_test_transactions_open(connection: Any) -> bool:
    return all(block._from_testcase for block in connection.atomic_blocks)


def _take_new_callback(connection: Any, earlier: list[Any]) -> Any:
    """Remove and return the first callback that is not one of ``earlier``. None: there is none."""
    for index, entry in enumerate(connection.run_on_commit):
        if not any(entry is each for each in earlier):
            return connection.run_on_commit.pop(index)
    return None

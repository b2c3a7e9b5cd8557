"""Statements that are compiled once in a process, with parameters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction

from chroniker import lifecycle
from chroniker.clock import jump_detection
from chroniker.conf import settings
from chroniker.eligibility.due import _make_due_work_statement
from chroniker.lifecycle.close import _make_close_statement as finish_statement
from chroniker.lifecycle.renewal import _make_lease_renewal_statement as renewal_statement
from chroniker.lifecycle.start import _make_start_statement as start_statement
from chroniker.models import Lease, statements
from chroniker.models.statements import Statement
from chroniker.scheduler.tick import tick
from tests.support.factories import a_due_job

# The other databases have the plain form, and one of these statements.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.every_database, pytest.mark.database("postgres")]

BUILDERS: list[tuple[Any, ...]] = [
    (start_statement, True),
    (renewal_statement, True, True),
    (finish_statement,),
    (_make_due_work_statement,),
]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the project's settings that are read."""
    names: set[str] = set()
    value: Callable[..., Any] = type(settings)._value

    def recording(self: Any, name: str) -> Any:
        names.add(name)
        return value(self, name)

    monkeypatch.setattr(type(settings), "_value", recording)
    return names


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build[0].__module__)
def test_all_settings_that_a_statement_depends_on_are_compared(build: tuple[Any, ...], reads: set[str]) -> None:
    jump_detection.read_clock()
    reads.clear()
    statements._statement_cache_key()
    compared = {*reads, "CHRONIKER_RUNTIME_DIR"}  # where the known server is stored, which is an argument
    reads.clear()
    with transaction.atomic():
        statement = build[0].__wrapped__(*build[1:])
    assert isinstance(statement, Statement)
    assert reads <= compared
    assert statement.sql.count("%s") == len(statement.params)


def test_another_setting_makes_another_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    jump_detection.read_clock()
    for seconds in (100, 500):
        # Without the signal of Django's own fixture, which lets forget all statements.
        monkeypatch.setattr(django_settings, "CHRONIKER_LOCK_TIMEOUT", seconds, raising=False)
        a_due_job()
        (run,) = tick().claimed
        assert lifecycle.start(run.pk, run.token, uuid4(), host="here", pid=1) is not None
        assert Lease.objects.get(pk=run.pk).seconds == seconds


def test_a_statement_is_compiled_once() -> None:
    assert _make_due_work_statement() is _make_due_work_statement()


def test_values_take_the_place_of_parameters() -> None:
    jump_detection.read_clock()
    one, other = uuid4(), uuid4()
    now = dt.datetime.now(dt.UTC)
    rest = dict.fromkeys(("token", "pid", "taken_at"), 1) | dict.fromkeys(("host", "worker", "queue", "server"), "x")
    statement = start_statement(True)
    bound = [
        statement.bind({"run": run, "nonce": run, "lowest": now, "highest": now, **rest}, connection)
        for run in (one, other)
    ]
    assert one in bound[0]
    assert bound[1] == [other if value == one else value for value in bound[0]]

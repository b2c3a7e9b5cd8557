"""A deadlock with another process is no error: the step is repeated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts, pauses
from chroniker.eligibility.hosts import WorkerReport
from chroniker.lifecycle.transactions import transactional
from chroniker.models import AuditEntry, FleetWork, GuaranteeProgress, HostService, Switch, Ticker, TickMinute
from chroniker.models.conflicts import MAX_CONFLICT_TRIES, retry_after_conflict
from chroniker.scheduler import fleet_work, guarantees, requests
from chroniker.scheduler.tick_record import TickRecorder

pytestmark = pytest.mark.django_db(transaction=True)

NOON = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)
DEADLOCK = OperationalError(1213, "Deadlock found when trying to get lock; try restarting transaction")
EXISTS = IntegrityError("another process inserted this key")


def record_heartbeat() -> None:
    hosts.record_heartbeat([WorkerReport("default", "w1")])


def record_minute() -> None:
    record = TickRecorder("beat", 5)
    record._written_at = float("inf")
    record.record_pass(NOON, 0.5, 1)
    record.close()


def do_regular_work() -> None:
    fleet_work.do_due_periodic_work(["deletion"], database_now())


@pytest.mark.parametrize(
    ("step", "model"),
    [
        (record_heartbeat, HostService),
        (lambda: TickRecorder("beat", 5).record_pass(NOON, 0.5, 1), Ticker),
        (record_minute, TickMinute),
        (do_regular_work, FleetWork),
        (lambda: guarantees.run_guarantee_tests(database_now()), GuaranteeProgress),
        (lambda: pauses.pause("a test"), Switch),
        (lambda: requests.pause("a test"), AuditEntry),
    ],
    ids=["heartbeat", "ticker", "minute", "periodic work", "guarantees", "pause", "pause by a command"],
)
def test_an_upsert_is_repeated_after_a_deadlock(step: Callable[[], Any], model: Any) -> None:
    table = connection.ops.quote_name(model._meta.db_table)
    failed: list[str] = []

    def fail_once(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not failed and sql.startswith(f"INSERT INTO {table}"):
            failed.append(sql)
            raise DEADLOCK
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_once):
        step()
    assert len(failed) == 1
    assert model.objects.count() == 1
    if model is TickMinute:
        assert TickMinute.objects.get().passes == 1


def failing_step(errors: list[Exception]) -> Callable[[], str]:
    def step() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    return step


@pytest.mark.parametrize("repeated", [retry_after_conflict, transactional])
def test_a_step_is_repeated_until_it_succeeds_or_the_tries_are_used_up(
    repeated: Callable[[Callable[[], str]], Callable[[], str]],
) -> None:
    assert repeated(failing_step([DEADLOCK, EXISTS]))() == "done"
    with pytest.raises(OperationalError):
        repeated(failing_step([DEADLOCK] * MAX_CONFLICT_TRIES))()
    with pytest.raises(OperationalError, match="gone away"):
        repeated(failing_step([OperationalError(2006, "Server has gone away")]))()


@pytest.mark.parametrize("repeated", [retry_after_conflict, transactional])
def test_inside_a_transaction_of_the_caller_nothing_is_repeated(
    repeated: Callable[[Callable[[], str]], Callable[[], str]],
) -> None:
    with pytest.raises(OperationalError), transaction.atomic():
        repeated(failing_step([DEADLOCK]))()

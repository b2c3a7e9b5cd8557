"""A claim at REPEATABLE READ, where the first plain read of a transaction fixes what its later reads see."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import pytest
from django.db import connection, connections

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.lifecycle import claim_plan
from chroniker.models import Group, Job, Run
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, a_due_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database("postgres", "mariadb")]

SET = {
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {}",
    "mysql": "SET SESSION TRANSACTION ISOLATION LEVEL {}",
}


@pytest.fixture
def repeatable_read() -> Iterator[None]:
    def set_level(level: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(SET[connection.vendor].format(level))

    set_level("REPEATABLE READ")
    yield
    set_level("READ COMMITTED")


@pytest.mark.usefixtures("repeatable_read")
def test_a_dependee_that_starts_while_the_claim_takes_its_locks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    dependee, dependent = a_booked_job(cron="0 3 1 1 *"), a_due_job(group=Group.objects.create(name="g", limit=1))
    a_dependency(dependent, dependee, wait_for_completion=True)
    claim = import_module("chroniker.lifecycle.claim")
    lock_unchanged = claim._lock_states_and_drop_stale_plans
    calls: list[str] = []
    started: list[Run] = []

    def start(job: Job) -> None:
        try:
            started.append(run_now(job, "ann"))
        finally:
            connections.close_all()

    def lock_after_the_start(*args: Any, **named: Any) -> Any:
        calls.append("lock")
        if len(calls) == 1:  # the claim of the dependee comes here too
            with ThreadPoolExecutor(1) as other:
                other.submit(start, dependee).result()
        return lock_unchanged(*args, **named)

    now = database_now()
    found = claim_plan.make_claim_plan(SCHEDULED, due.find_due_jobs(SCHEDULED, now, [dependent.pk]).get(), now)
    monkeypatch.setattr(claim, "_lock_states_and_drop_stale_plans", lock_after_the_start)
    assert lifecycle.claim([found], now) == []
    assert [run.job_id for run in started] == [dependee.pk]

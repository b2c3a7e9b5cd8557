"""Many rows are written with few statements, whatever form a database needs."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.lifecycle import bulk
from chroniker.models import RunTotal
from chroniker.scheduler.tick import tick
from tests.support.factories import a_due_job

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
ROWS, MOST = 20, 60


def add(number: int) -> None:
    rows = [
        RunTotal(start=START + half_hour * dt.timedelta(minutes=30), succeeded=half_hour + 1, seconds_max=number)
        for half_hour in range(ROWS)
    ]
    bulk.upsert_counters(rows, key=["start"], keep_largest=["seconds_max"])


def test_counters_are_written_in_portions_that_the_database_permits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection.features, "max_query_params", MOST)
    with CaptureQueriesContext(connection) as queries:
        add(2)
    columns = len(RunTotal._meta.concrete_fields) - 1
    inserts = [each["sql"] for each in queries if each["sql"].startswith("INSERT")]
    portion = MOST // columns
    assert portion > 1
    assert len(inserts) == -(-ROWS // portion)
    add(1)
    assert list(RunTotal.objects.order_by("start").values_list("succeeded", "seconds_max")) == [
        (2 * (half_hour + 1), 2) for half_hour in range(ROWS)
    ]


def test_counters_of_nothing_need_no_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        bulk.upsert_counters([], key=["start"], keep_largest=[])
        bulk.insert_rows(RunTotal, [])
    assert len(queries) == 0


def test_the_runs_of_a_claim_can_be_saved_again() -> None:
    a_due_job()
    a_due_job()
    runs = tick().claimed
    assert {(run._state.adding, run._state.db) for run in runs} == {(False, connection.alias)}
    for run in runs:
        run.save()

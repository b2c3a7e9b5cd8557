"""``due.read_due_states`` loads the rows that ``due.find_due_jobs`` loads, without what no claim needs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import RETRY, SCHEDULED, STARTING_CLAIM_KINDS, ClaimKind
from chroniker.models import Group, JobState
from tests.support.factories import a_booked_job

pytestmark = pytest.mark.django_db


def make_due() -> None:
    now, group = database_now(), Group.objects.create(name="night")
    for name in ("first", "second", "third"):
        job = a_booked_job(name=name, group=group if name == "second" else None, max_retries=3)
        JobState.objects.filter(pk=job.pk).update(
            next_run=now, next_instant=now, retry_at=now if name != "third" else None, backfill_at=now
        )


def columns(row: Any) -> dict[str, Any]:
    found = {name: value for name, value in vars(row).items() if name != "_state"}
    return {**found, "db": row._state.db, "adding": row._state.adding}


@pytest.mark.parametrize("kind", STARTING_CLAIM_KINDS, ids=lambda kind: kind.name)
def test_rows_are_those_that_the_models_load(kind: ClaimKind) -> None:
    make_due()
    later = database_now() + dt.timedelta(seconds=1)
    expected = list(due.find_due_jobs(kind, later))
    read = due.read_due_states(kind, later, limit=10)
    assert [state.pk for state in read] == [state.pk for state in expected]
    for state, other in zip(read, expected, strict=True):
        assert columns(state).items() <= columns(other).items()
        assert columns(state.job) == columns(other.job)
        assert (state.job.group is None) == (other.job.group is None)
        if state.job.group is not None and other.job.group is not None:
            assert columns(state.job.group) == columns(other.job.group)


def test_there_are_due_rows_of_a_retry_and_of_the_schedule() -> None:
    make_due()
    later = database_now() + dt.timedelta(seconds=1)
    assert len(due.read_due_states(RETRY, later, limit=10)) == 2
    assert len(due.read_due_states(SCHEDULED, later, limit=10)) == 3
    assert len(due.read_due_states(SCHEDULED, later, limit=2)) == 2


def test_a_job_and_its_group_cost_no_statement_and_other_columns_are_read_when_used() -> None:
    make_due()
    states = due.read_due_states(SCHEDULED, database_now() + dt.timedelta(seconds=1), limit=10, check_groups=False)
    with CaptureQueriesContext(connection) as statements:
        assert [str(state.job.group) for state in states] == ["None", "night", "None"]
        assert states[0].job.state is states[0]
    assert not statements.captured_queries
    assert states[0].recent_seconds == []

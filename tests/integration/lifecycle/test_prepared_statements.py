"""PostgreSQL: a connection prepares the statements that it sends often, unless a pooler shares its session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connections

from chroniker.eligibility.due import are_claims_and_messages_due_after_run
from chroniker.models import Job, prepared
from chroniker.scheduler import pending_work
from tests.support.factories import a_booked_job
from tests.support.servers import PgBouncerServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.every_database, pytest.mark.database("postgres")]


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch) -> prepared._DatabaseSessions:
    """Nothing is prepared at the beginning."""
    connections["default"].close()
    fresh = prepared._DatabaseSessions()
    monkeypatch.setattr(prepared, "_sessions", fresh)
    return fresh


@pytest.fixture
def job() -> Job:
    return a_booked_job(cron="0 0 1 1 *")


def names() -> list[str]:
    """The statements that the session of the server has prepared."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'chroniker%%'")
        return [name for (name,) in cursor.fetchall()]


def look_often(job: Job, times: int = prepared.USES_BEFORE_PREPARE) -> set[tuple[bool, bool]]:
    return {are_claims_and_messages_due_after_run(job.pk) for _each in range(times)}


def test_a_statement_that_is_sent_often_is_prepared_once(job: Job) -> None:
    look_often(job, prepared.USES_BEFORE_PREPARE - 1)
    assert names() == []
    assert look_often(job) == {(False, False)}
    assert len(names()) == 1


def test_another_connection_prepares_its_own(job: Job) -> None:
    look_often(job)
    connections["default"].close()
    assert look_often(job) == {(False, False)}
    assert len(names()) == 1


def test_a_prepared_statement_has_the_values_of_each_execution(job: Job) -> None:
    other = a_booked_job(cron="0 0 1 1 *")
    Job.objects.filter(pk=other.pk).update(force_run=True)
    look_often(job)
    assert [are_claims_and_messages_due_after_run(each.pk) for each in (job, other, job)] == [
        (False, False),
        (True, False),
        (False, False),
    ]


def test_a_session_that_lacks_the_statement_ends_preparing(job: Job, sessions: prepared._DatabaseSessions) -> None:
    look_often(job)
    with connections["default"].cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")  # as if the session were another one
    with pytest.raises(DatabaseError):
        are_claims_and_messages_due_after_run(job.pk)
    assert not sessions.enabled
    assert look_often(job) == {(False, False)}
    assert names() == []


def test_the_questions_of_a_tick_are_prepared(job: Job) -> None:
    pending_work.find_pending_work()  # it learns which server this is
    assert [pending_work.find_pending_work().stops for _each in range(prepared.USES_BEFORE_PREPARE)] == [
        False
    ] * prepared.USES_BEFORE_PREPARE
    assert len(names()) == 1
    Job.objects.filter(pk=job.pk).update(force_stop=True)
    assert pending_work.find_pending_work().stops


@pytest.fixture
def through_pgbouncer(job: Job) -> Iterator[None]:
    """The connection of this thread goes through PgBouncer, which has a single session."""
    if not PgBouncerServer.available():
        pytest.skip("pgbouncer is not installed here")
    own = connections["default"]
    with PgBouncerServer(int(own.settings_dict["PORT"]), pool_size=1) as server:
        pooled = connections.create_connection("default")
        pooled.settings_dict = {**own.settings_dict, "PORT": str(server.port), "USER": server.user}
        connections["default"] = pooled
        try:
            yield
        finally:
            pooled.close()
            connections["default"] = own


def test_behind_pgbouncer_nothing_is_prepared(job: Job, through_pgbouncer: None) -> None:
    assert look_often(job, 2 * prepared.USES_BEFORE_PREPARE) == {(False, False)}
    assert names() == []

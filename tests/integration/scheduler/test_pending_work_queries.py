"""The first statement of a tick: each kind of work makes its question true, and the next moment is found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from unittest import mock

import pytest
from django.db import connection, connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import StatementNowPlus, database_now
from chroniker.conf import settings
from chroniker.eligibility import draining
from chroniker.models import Job, JobState, Run
from chroniker.scheduler import fleet_work, loop, pending_work
from chroniker.scheduler.kept_connection import PersistentConnection
from chroniker.scheduler.pending_work_queries import next_due_time, queries_for_pending_work
from chroniker.scheduler.tick import tick
from tests.integration.scheduler.kinds_of_work import HERE, RARE, WORK, a_run, a_running_run
from tests.support.factories import a_booked_job
from tests.support.statements import do_regular_work

pytestmark = [pytest.mark.django_db, pytest.mark.every_database, pytest.mark.periodic_work]


@override_settings(**HERE)
def test_each_question_has_a_case_here() -> None:
    asked = {
        (name, n) for name, rows in queries_for_pending_work(database_now()).items() for n, _rows in enumerate(rows)
    }
    assert asked == set(WORK)


@override_settings(**HERE)
@pytest.mark.parametrize("key", WORK, ids=lambda key: f"{key[0]}-{key[1]}")
def test_work_of_each_kind_makes_its_question_true(key: tuple[str, int]) -> None:
    name, number = key
    assert not queries_for_pending_work(database_now())[name][number].exists()
    _clock, _server, _upcoming, before = pending_work._query_pending_work(None)
    WORK[key]()
    assert queries_for_pending_work(database_now())[name][number].exists()
    _clock, _server, _upcoming, answers = pending_work._query_pending_work(None)
    assert answers[name]
    assert not before[name]


def test_the_answers_follow_settings_that_tests_change() -> None:
    a_running_run()
    do_regular_work()
    with override_settings(CHRONIKER_CHECK_LOCK_FILE=False):
        assert not pending_work.find_pending_work().expiry
    with override_settings(CHRONIKER_CHECK_LOCK_FILE=True):
        assert pending_work.find_pending_work().expiry
    with override_settings(CHRONIKER_CHECK_LOCK_FILE=False, CHRONIKER_HOSTNAME="web1"):
        draining.record_drain_of_this_host("a test")
        assert pending_work.find_pending_work().draining


def test_the_statement_is_compiled_again_when_the_regular_work_changes() -> None:
    assert "guarantees" in pending_work.find_pending_work().fleet_work
    with mock.patch.dict(fleet_work.PERIODIC_WORK_BY_NAME, clear=True):
        assert pending_work.find_pending_work().fleet_work == []
    assert "guarantees" in pending_work.find_pending_work().fleet_work


def test_the_next_moment_is_the_first_of_instants_retries_and_redispatches() -> None:
    now = database_now().replace(microsecond=0)
    states = JobState.objects.filter(pk=a_booked_job(**RARE).pk)
    states.update(next_run=None)
    assert pending_work.find_pending_work().next_moment is None
    changes: list[tuple[int, Callable[[dt.datetime], object]]] = [
        (900, lambda at: states.update(next_run=at)),
        (600, lambda at: states.update(retry_at=at)),
        (500, lambda at: states.update(backfill_at=at)),
        (400, lambda at: states.update(alert_at=at)),
        (300, lambda at: Run.objects.filter(pk=a_run().pk).update(redispatch_at=at)),
    ]
    for seconds, change in changes:
        at = now + dt.timedelta(seconds=seconds)
        change(at)
        assert pending_work.find_pending_work().next_moment == next_due_time(now) == at


def test_an_idle_step_of_the_loop_needs_one_statement() -> None:
    ticker = loop.TickLoop(5, lambda result: None)
    ticker.tick_and_record_pass()
    do_regular_work()
    at = database_now() + dt.timedelta(seconds=2)
    JobState.objects.filter(pk=a_booked_job(**RARE).pk).update(next_run=at)
    with CaptureQueriesContext(connection) as statements:
        assert 0 < ticker.tick_and_record_pass() < 2
    assert len(statements) == 1, [each["sql"] for each in statements]


def test_a_step_with_work_wakes_at_what_it_has_booked() -> None:
    """The next moment before the pass would be a year away."""
    Job.objects.filter(pk=a_booked_job(**RARE).pk).update(cron="* * * * *", edited_at=database_now())
    ticker = loop.TickLoop(3600, lambda result: None)
    assert ticker.tick_and_record_pass() <= 60
    lifecycle.book_next_instants([a_booked_job().pk], database_now())


@pytest.mark.django_db(transaction=True)
def test_a_process_that_ticks_keeps_its_connection_until_it_fails() -> None:
    ours = connections[settings.database]
    ours.close()
    with mock.patch.dict(ours.settings_dict, CONN_MAX_AGE=0):
        kept = PersistentConnection()
        tick()
        first = ours.connection
        kept.release()
        assert ours.connection is first
        ours.errors_occurred = True
        kept.release()
        assert ours.connection is None


def test_what_is_due_at_this_very_millisecond_is_due() -> None:
    """SQLite compares texts: the clock has as many digits as a time that Django has written."""
    states = JobState.objects.filter(pk=a_booked_job().pk)
    for _each in range(50):
        states.update(next_run=database_now())
        assert states.filter(next_run__lte=StatementNowPlus()).exists()

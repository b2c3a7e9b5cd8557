"""The first statement of a tick: each kind of work makes its question true, and the next moment is found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.db import connection, connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import StatementNow, database_now
from chroniker.conf import settings
from chroniker.eligibility import draining, pauses
from chroniker.models import (
    Activation,
    FleetWork,
    Group,
    Job,
    JobState,
    Lease,
    Outbox,
    Overlap,
    Run,
    Switch,
    installation,
)
from chroniker.scheduler import fleet_work, loop, pending_work
from chroniker.scheduler.kept_connection import KeptConnection
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.questions import next_moment, not_due, questions
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, a_due_job, started
from tests.support.statements import do_regular_work

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]

RARE: dict[str, Any] = {"cron": "0 0 1 1 *"}
HERE = {
    "CHRONIKER_EXECUTORS": {"default": {"BACKEND": "chroniker.executors.local.LocalExecutor"}},
    "CHRONIKER_CHECK_LOCK_FILE": True,
    "CHRONIKER_HEARTBEAT_URL": "http://localhost:9/",
}


def a_run(**fields: Any) -> Run:
    return run_now(a_booked_job(**RARE, **fields), "a test")


def a_running_run(**fields: Any) -> Run:
    run = a_run(**fields)
    started(run, host=settings.hostname)
    return run


def an_overdue_lease() -> None:
    Lease.objects.filter(pk=a_run().pk).update(expires_at=database_now() - dt.timedelta(hours=1))


def a_child_that_has_not_begun() -> None:
    Lease.objects.filter(pk=a_run().pk).update(slot="web1")


def a_lost_message() -> None:
    Run.objects.filter(pk=a_run().pk).update(redispatch_at=database_now() - dt.timedelta(hours=1))


def a_claim_for_this_host() -> None:
    Run.objects.filter(pk=a_run().pk).update(required_host=settings.hostname, dispatched_at=None)


def a_job_disabled_past_the_model() -> None:
    Job.objects.filter(pk=a_due_job().pk).update(enabled=False)


def older_zone_rules() -> None:
    JobState.objects.filter(pk=a_booked_job(**RARE).pk).update(booked_zone_rules="1999a")


def a_job_due_while_it_runs(overlap: Overlap) -> None:
    job = a_due_job(overlap=overlap)
    run_now(job, "a test")


def a_pending_retry() -> None:
    JobState.objects.filter(pk=a_booked_job(**RARE).pk).update(retry_at=database_now())


def an_activation(**fields: Any) -> None:
    now = database_now()
    Activation.objects.create(target=a_booked_job(**RARE, **fields), instant=now, made_at=now)


def an_activation_that_waits_too_long() -> None:
    an_activation()
    Activation.objects.update(ended_at=database_now(), late_at=database_now())


def a_waiting_backfill() -> None:
    JobState.objects.filter(pk=a_booked_job(**RARE).pk).update(backfill_at=database_now())


def regular_work_done_a_moment_ago(name: str) -> None:
    FleetWork.objects.create(name=name, due_at=database_now() + dt.timedelta(seconds=5))


def a_closed_run() -> None:
    Run.objects.filter(pk=a_run().pk).update(uncounted_since=database_now())


def a_copied_database() -> None:
    installation.record()
    Switch.objects.update(copied_since=database_now())


#: By question, and its number where there are several: what makes it true.
WORK: dict[tuple[str, int], Callable[[], Any]] = {
    ("expiry", 0): an_overdue_lease,
    ("expiry", 1): a_child_that_has_not_begun,
    ("expiry", 2): a_running_run,
    ("redispatch", 0): a_lost_message,
    ("claims_for_this_host", 0): a_claim_for_this_host,
    ("stops", 0): lambda: a_booked_job(**RARE, force_stop=True),
    ("edits", 0): lambda: Job.objects.filter(pk=a_booked_job(**RARE).pk).update(edited_at=database_now()),
    ("edits", 1): a_job_disabled_past_the_model,
    ("edits", 2): older_zone_rules,
    ("edits", 3): lambda: an_activation(enabled=False),
    ("forced", 0): lambda: a_booked_job(**RARE, force_run=True),
    ("scheduled", 0): a_due_job,
    ("retry", 0): a_pending_retry,
    ("event", 0): an_activation,
    ("backfill", 0): a_waiting_backfill,
    ("overlapped", 0): lambda: a_job_due_while_it_runs(Overlap.SKIP),
    ("replaced", 0): lambda: a_job_due_while_it_runs(Overlap.REPLACE),
    ("groups", 0): lambda: Group.objects.create(name="one at a time", limit=1),
    ("alerts", 0): lambda: JobState.objects.filter(pk=a_booked_job(**RARE).pk).update(alert_at=database_now()),
    ("alerts", 1): an_activation_that_waits_too_long,
    ("alert_changes", 0): lambda: Switch.objects.create(pk=pauses.ALL, alert_revision=1),
    ("alert_changes", 1): lambda: Group.objects.create(name="watched", alert_revision=1),
    ("messages", 0): lambda: Outbox.objects.create(channel="mail:1", payload={}, send_at=database_now()),
    ("deletions", 0): lambda: a_booked_job(**RARE, enabled=False, deletion_requested_at=database_now()),
    ("copied", 0): a_copied_database,
    ("recorded", 0): installation.record,
    ("draining", 0): lambda: draining.drain("a test"),
    ("paused", 0): lambda: pauses.pause("a test"),
    ("counts", 0): a_closed_run,
    (not_due("counts"), 0): lambda: regular_work_done_a_moment_ago("counts"),
    (not_due("deletion"), 0): lambda: regular_work_done_a_moment_ago("deletion"),
    (not_due("guarantees"), 0): lambda: regular_work_done_a_moment_ago("guarantees"),
    (not_due("heartbeat"), 0): lambda: regular_work_done_a_moment_ago("heartbeat"),
}


@override_settings(**HERE)
def test_each_question_has_a_case_here() -> None:
    asked = {(name, n) for name, rows in questions(database_now()).items() for n, _rows in enumerate(rows)}
    assert asked == set(WORK)


@override_settings(**HERE)
@pytest.mark.parametrize("key", WORK, ids=lambda key: f"{key[0]}-{key[1]}")
def test_work_of_each_kind_makes_its_question_true(key: tuple[str, int]) -> None:
    name, number = key
    assert not questions(database_now())[name][number].exists()
    _clock, _server, _upcoming, before = pending_work._ask(None)
    WORK[key]()
    assert questions(database_now())[name][number].exists()
    _clock, _server, _upcoming, answers = pending_work._ask(None)
    assert answers[name]
    assert not before[name]


def test_the_answers_follow_settings_that_tests_change() -> None:
    a_running_run()
    do_regular_work()
    with override_settings(CHRONIKER_CHECK_LOCK_FILE=False):
        assert not pending_work.find().expiry
    with override_settings(CHRONIKER_CHECK_LOCK_FILE=True):
        assert pending_work.find().expiry
    with override_settings(CHRONIKER_CHECK_LOCK_FILE=False, CHRONIKER_HOSTNAME="web1"):
        draining.drain("a test")
        assert pending_work.find().draining


def test_the_statement_is_compiled_again_when_the_regular_work_changes() -> None:
    assert "guarantees" in pending_work.find().fleet_work
    with mock.patch.dict(fleet_work.WORK, clear=True):
        assert pending_work.find().fleet_work == []
    assert "guarantees" in pending_work.find().fleet_work


def test_the_next_moment_is_the_first_of_instants_retries_and_redispatches() -> None:
    now = database_now().replace(microsecond=0)
    states = JobState.objects.filter(pk=a_booked_job(**RARE).pk)
    states.update(next_run=None)
    assert pending_work.find().next_moment is None
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
        assert pending_work.find().next_moment == next_moment(now) == at


def test_an_idle_step_of_the_loop_needs_one_statement() -> None:
    ticker = loop.Ticker(5, lambda result: None)
    ticker.step()
    do_regular_work()
    at = database_now() + dt.timedelta(seconds=2)
    JobState.objects.filter(pk=a_booked_job(**RARE).pk).update(next_run=at)
    with CaptureQueriesContext(connection) as statements:
        assert 0 < ticker.step() < 2
    assert len(statements) == 1, [each["sql"] for each in statements]


def test_a_step_with_work_wakes_at_what_it_has_booked() -> None:
    """The next moment before the pass would be a year away."""
    Job.objects.filter(pk=a_booked_job(**RARE).pk).update(cron="* * * * *", edited_at=database_now())
    ticker = loop.Ticker(3600, lambda result: None)
    assert ticker.step() <= 60
    lifecycle.book([a_booked_job().pk], database_now())


@pytest.mark.django_db(transaction=True)
def test_a_process_that_ticks_keeps_its_connection_until_it_fails() -> None:
    ours = connections[settings.database]
    ours.close()
    with mock.patch.dict(ours.settings_dict, CONN_MAX_AGE=0):
        kept = KeptConnection()
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
        assert states.filter(next_run__lte=StatementNow()).exists()

"""PostgreSQL: one statement does what the statements of the plain form do, in any state of the rows."""

from __future__ import annotations

import datetime as dt
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, connections, transaction

from chroniker import lifecycle
from chroniker.clock import jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import draining
from chroniker.lifecycle import Outcome, one_statement
from chroniker.models import (
    OPEN,
    AlertKind,
    Host,
    Job,
    JobState,
    Lease,
    Outbox,
    Run,
    RunEvent,
    Status,
    Switch,
    Trigger,
    prepared,
)
from chroniker.models.statements import Statement
from chroniker.reasons import NO_REASON, Code, Reason
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, a_due_job, started

# The other databases have the plain form only.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.every_database, pytest.mark.database("postgres")]

STATES = 1000 if os.environ.get("CHRONIKER_TEST_EXAMPLES") == "nightly" else 120
HERE, NONCE, OTHER = "here", UUID(int=1), UUID(int=2)
MARGIN = dt.timedelta(seconds=100)  # times of both forms differ by the time that one of them takes
COMPARED = (Run, Lease, JobState, RunEvent, Outbox, Host)


@pytest.fixture(autouse=True)
def on_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared._sessions, "enabled", True)  # the first states meet it unprepared, the others prepared
    assert jump_detection.read_clock().suspended_because == NO_REASON


class Near:
    """Equal to any time or duration that differs by less than the time that one of both forms takes."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        limit: Any = MARGIN / 2 if isinstance(self.value, dt.datetime) else MARGIN.total_seconds() / 2
        return isinstance(other, Near) and abs(self.value - other.value) < limit

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"about {self.value}"


def about(value: Any) -> Any:
    if isinstance(value, dt.datetime | float):
        return Near(value)
    return [about(each) for each in value] if isinstance(value, list) else value


def rows() -> list[Any]:
    """All rows that a step may write."""
    return [
        {name: about(value) for name, value in row.items() if name != "id" or model is not RunEvent}
        for model in COMPARED
        for row in model.objects.order_by("pk").values()
    ]


class _RolledBack(Exception):
    pass


def outcome_of(step: Callable[[], Any], *, one: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any]]:
    """The result of the step and the rows after it, which are rolled back."""
    monkeypatch.setattr(one_statement, "ENABLED", one)
    try:
        with transaction.atomic():
            found = step(), rows()
            raise _RolledBack
    except _RolledBack:
        return found


@dataclass
class Counted:
    """How often the one statement changed a row."""

    moved: int = 0


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counts, fetch = Counted(), Statement.fetch

    def counting(statement: Statement, values: Any) -> Any:
        row = fetch(statement, values)
        counts.moved += row is not None and statement.sql.startswith("WITH ")  # else a question of a tick
        return row

    monkeypatch.setattr(Statement, "fetch", counting)
    return counts


def a_run(rng: random.Random, likely: Status) -> Run:
    """A run with its lease and its job's state, each with random values of all columns that a step looks at."""
    now = database_now()

    def time() -> dt.datetime:
        return now + rng.choice([-10, -3, -1, 1, 3, 10]) * MARGIN

    def time_or_none() -> dt.datetime | None:
        return rng.choice([None, time()])

    job = Job.objects.get()
    Job.objects.update(
        enabled=rng.random() < 0.9,
        max_retries=rng.choice([0, 3]),
        retry_on_lost=rng.random() < 0.5,
        hold_on_failure=rng.random() < 0.5,
    )
    JobState.objects.update(
        retry_at=time_or_none(),
        retry_of=rng.choice([None, 3]),
        retry_attempt=1,
        retry_status=rng.choice(["", Status.FAILED]),
        retry_origin=rng.choice(["", *Trigger.values]),
        failures=rng.choice([0, 4]),
        failing_since=time_or_none(),
        last_success_until=time_or_none(),
        recent_seconds=[300.0] * rng.choice([0, 3, 50]),
        held_at=time_or_none(),
        alerts_open=rng.choice([0, AlertKind.LATE.bit]),
    )
    Run.objects.all().delete()
    status = rng.choice([likely] * 4 + [Status.CLAIMED, Status.RUNNING, Status.LOST, Status.SUCCEEDED])
    is_started = status != Status.CLAIMED
    cause = Run.objects.create(job=job, token=1, chain=1, status=Status.SUCCEEDED, claimed_at=now, finished_at=now)
    run = Run.objects.create(
        job=job,
        token=7,
        slot=rng.choice(["", "", "", HERE]),
        chain=7,
        attempt=rng.choice([1, 2]),
        status=status,
        trigger=rng.choice(Trigger.values),
        origin=rng.choice(Trigger.values),
        claimed_at=now - 5 * MARGIN,
        dispatched_at=time_or_none(),
        cause=rng.choice([None, None, None, cause.pk]),
        started_at=now - 2 * MARGIN if is_started else None,
        finished_at=None if status in OPEN else now - MARGIN,
        required_host=rng.choice(["", "", HERE, "there"]),
        nonce=rng.choice([NONCE, NONCE, OTHER]) if is_started else None,
        queue=rng.choice(["", "slow"]),
        instant_until=time_or_none(),
        stop_requested_at=rng.choice([None, None, time()]),
        stop_requested_by="somebody",
    )
    if rng.random() < 0.9:
        expires_at = now + rng.choice([1, 1, 1, -1]) * MARGIN
        Lease.objects.create(run=run, job=job, slot=run.slot, token=7, nonce=run.nonce, expires_at=expires_at)
    return run


def compare(step: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    one = outcome_of(step, one=True, monkeypatch=monkeypatch)
    plain = outcome_of(step, one=False, monkeypatch=monkeypatch)
    assert one[0] == plain[0]
    for by_one, by_plain in zip(one[1], plain[1], strict=True):
        assert by_one == by_plain


@pytest.fixture
def job() -> Job:
    return a_booked_job(cron="0 0 1 1 *")


def start_of(run: Run, token: int) -> Any:
    """The answer of a start, without the milliseconds."""
    by = {"host": HERE, "pid": 5, "worker": "w", "queue": "fast"}
    found = lifecycle.start(run.pk, token, NONCE, waited=dt.timedelta(seconds=3), **by)  # type: ignore[arg-type]
    if found is None:
        return None
    columns = {field.attname: about(getattr(found.run, field.attname)) for field in Run._meta.concrete_fields}
    facts = found.stop, found.cause_job, found.was_late, about(found.last_success), found.job.name
    return facts, columns


def test_a_start_does_the_same_in_both_forms(job: Job, counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(STATES):
        rng = random.Random(seed)
        run = a_run(rng, Status.CLAIMED)
        Host.objects.all().delete()
        if rng.random() < 0.1:
            draining.drain("a test")
        Switch.objects.update(copied_since=database_now() if rng.random() < 0.05 else None)
        token = rng.choice([7, 7, 7, 8])

        compare(partial(start_of, run, token), monkeypatch)
    assert counted.moved > STATES / 20


def test_a_finish_does_the_same_in_both_forms(job: Job, counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(STATES):
        rng = random.Random(seed)
        run = a_run(rng, Status.RUNNING)
        ends = [Status.SUCCEEDED, Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.STOPPED, Status.LOST]
        outcome = Outcome(
            rng.choice(ends),
            exit_code=rng.choice([None, 0, 1]),
            reason=rng.choice([NO_REASON, Reason.of(Code.EXIT, status=1)]),
            progress=rng.choice([None, (10, 5)]),
            unstored=rng.choice([0, 0, 12]),
            survivors=rng.choice([(), (), (), ("nfsd",)]),
            retry_at_once=rng.random() < 0.3,
            error_line="x" * rng.choice([0, 400]),
        )
        compare(partial(lifecycle.finish, run.pk, 7, NONCE, outcome), monkeypatch)
    assert counted.moved > STATES / 20


@pytest.mark.parametrize("lock_file", [True, False])
def test_a_renewal_does_the_same_in_both_forms(
    job: Job, counted: Counted, monkeypatch: pytest.MonkeyPatch, lock_file: bool, settings: Any
) -> None:
    settings.CHRONIKER_CHECK_LOCK_FILE = lock_file
    for seed in range(STATES // 2):
        rng = random.Random(seed)
        run = a_run(rng, Status.RUNNING)
        progress = rng.choice([None, (10, 5)])
        compare(partial(lifecycle.renew, run.pk, 7, NONCE, progress), monkeypatch)
    assert counted.moved > STATES / 40


def test_a_start_that_waited_for_the_expiry_of_its_run_changes_nothing() -> None:
    a_due_job()
    (run,) = tick().claimed
    results: list[Any] = []
    with transaction.atomic():
        Run.objects.filter(pk=run.pk).update(status=Status.LOST, finished_at=database_now())
        Lease.objects.filter(pk=run.pk).delete()
        waiting = in_another_thread(lambda: lifecycle.start(run.pk, run.token, uuid4(), host=HERE, pid=1), results)
    waiting.join()
    assert results == [None]
    assert Run.objects.get(pk=run.pk).status == Status.LOST


def test_a_finish_that_waited_for_the_expiry_of_its_run_changes_nothing() -> None:
    job = a_due_job()
    (run,) = tick().claimed
    nonce = started(run)
    results: list[Any] = []
    with transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=job.pk))
        Run.objects.filter(pk=run.pk).update(status=Status.LOST, finished_at=database_now())
        JobState.objects.filter(pk=job.pk).update(n_lost=1)
        waiting = in_another_thread(
            lambda: lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED)), results
        )
    waiting.join()
    assert results == [False]
    state = JobState.objects.get(pk=job.pk)
    assert (state.n_lost, state.n_succeeded) == (1, 0)


def test_a_finish_that_waited_sees_what_the_other_transaction_wrote_to_the_state() -> None:
    job = a_due_job()
    (run,) = tick().claimed
    nonce = started(run)
    results: list[Any] = []
    with transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=job.pk))
        JobState.objects.filter(pk=job.pk).update(n_succeeded=41, revision=99)
        waiting = in_another_thread(
            lambda: lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED)), results
        )
    waiting.join()
    state = JobState.objects.get(pk=job.pk)
    assert (results, state.n_succeeded, state.revision) == ([True], 42, 100)


def test_a_finish_that_waited_for_an_edit_of_the_job_decides_by_the_edited_job() -> None:
    job = a_due_job(max_retries=3)
    (run,) = tick().claimed
    nonce = started(run)
    results: list[Any] = []
    with transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=job.pk))
        Job.objects.filter(pk=job.pk).update(enabled=False)
        JobState.objects.filter(pk=job.pk).update(revision=99)
        waiting = in_another_thread(lambda: lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED)), results)
    waiting.join()
    assert results == [True]
    assert JobState.objects.get(pk=job.pk).retry_at is None


def in_another_thread(step: Callable[[], Any], results: list[Any]) -> threading.Thread:
    """Returns when the step waits for a lock of this thread's transaction."""

    def run() -> None:
        try:
            results.append(step())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    with connection.cursor() as cursor:
        while thread.is_alive():
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                break
    return thread


def test_at_another_time_or_on_another_server_nothing_starts_in_one_statement(
    counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_due_job()
    (run,) = tick().claimed
    trusted = jump_detection.trusted_clock()
    assert trusted is not None
    for wrong in (
        jump_detection.TrustedClock(trusted.memory, "another server"),
        jump_detection.TrustedClock(moved(trusted, 3600), trusted.server),
        jump_detection.TrustedClock(moved(trusted, -3600), trusted.server),
    ):
        monkeypatch.setattr(jump_detection, "trusted_clock", lambda wrong=wrong: wrong)
        with transaction.atomic():
            assert lifecycle.start(run.pk, run.token, uuid4(), host=HERE, pid=1) is not None, "by the plain form"
            transaction.set_rollback(True)
    assert counted.moved == 0
    monkeypatch.setattr(jump_detection, "trusted_clock", lambda: trusted)
    assert lifecycle.start(run.pk, run.token, uuid4(), host=HERE, pid=1) is not None
    assert counted.moved == 1


def moved(trusted: jump_detection.TrustedClock, seconds: float) -> Any:
    memory = trusted.memory
    return replace(memory, low=memory.low + seconds, high=memory.high + seconds)

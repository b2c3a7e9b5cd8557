"""PostgreSQL: one statement does what the statements of the plain form do, in any state of the rows."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from chroniker import lifecycle
from chroniker.clock import jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import draining
from chroniker.lifecycle import Outcome, one_statement
from chroniker.models import Host, Job, JobState, Lease, Outbox, Run, RunEvent, Status, Switch
from chroniker.models.statements import Statement
from chroniker.reasons import NO_REASON, Code, Reason
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.random_runs import HERE, MARGIN, NONCE, a_run
from tests.support.effort import by_day_or_at_night
from tests.support.factories import a_booked_job, a_due_job

# The other databases have the plain form only.
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.every_database,
    pytest.mark.database("postgres"),
    pytest.mark.usefixtures("prepared_statements"),
]

STATES = by_day_or_at_night(120, 1000)
COMPARED = (Run, Lease, JobState, RunEvent, Outbox, Host)


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
    monkeypatch.setattr(one_statement, "USE_COMBINED_STATEMENTS", one)
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
    facts = found.stop_requested, found.cause_job, found.was_late, about(found.last_success), found.job.name
    return facts, columns


def test_a_start_does_the_same_in_both_forms(job: Job, counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(STATES):
        rng = random.Random(seed)
        run = a_run(rng, Status.CLAIMED)
        Host.objects.all().delete()
        if rng.random() < 0.1:
            draining.record_drain_of_this_host("a test")
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
            unstored_characters=rng.choice([0, 0, 12]),
            survivors=rng.choice([(), (), (), ("nfsd",)]),
            retry_now=rng.random() < 0.3,
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


def test_at_another_time_or_on_another_server_nothing_starts_in_one_statement(
    counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_due_job()
    (run,) = tick().claimed
    trusted = jump_detection.load_trusted_clock()
    assert trusted is not None
    for wrong in (
        jump_detection.TrustedClock(trusted.state, "another server"),
        jump_detection.TrustedClock(moved(trusted, 3600), trusted.server),
        jump_detection.TrustedClock(moved(trusted, -3600), trusted.server),
    ):
        monkeypatch.setattr(jump_detection, "load_trusted_clock", lambda wrong=wrong: wrong)
        with transaction.atomic():
            assert lifecycle.start(run.pk, run.token, uuid4(), host=HERE, pid=1) is not None, "by the plain form"
            transaction.set_rollback(True)
    assert counted.moved == 0
    monkeypatch.setattr(jump_detection, "load_trusted_clock", lambda: trusted)
    assert lifecycle.start(run.pk, run.token, uuid4(), host=HERE, pid=1) is not None
    assert counted.moved == 1


def moved(trusted: jump_detection.TrustedClock, seconds: float) -> Any:
    memory = trusted.state
    return replace(memory, low=memory.low + seconds, high=memory.high + seconds)

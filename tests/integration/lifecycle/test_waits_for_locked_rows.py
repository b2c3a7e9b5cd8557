"""PostgreSQL: what a person or program requests waits for rows that another transaction has locked; a tick does not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

import pytest
from django.db import connection, transaction

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome, alert_mutes
from chroniker.models import Activation, Backfill, Group, Job, JobState, Status
from chroniker.reasons import Code
from chroniker.scheduler.manual_runs import run_now
from tests.integration.lifecycle.backfills import a_backfill, daily, planned
from tests.integration.lifecycle.steps import claimed
from tests.integration.lifecycle.triggered_jobs import an_activation
from tests.integration.lifecycle.waiting_threads import in_another_thread
from tests.support.factories import a_booked_job, started, state_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database("postgres")]

T = TypeVar("T")
#: Each change, and whether it was made.
CHANGES: dict[str, tuple[Callable[[Backfill], Any], Callable[[Backfill, JobState], object]]] = {
    "activations are discarded": (
        lambda row: lifecycle.end_waiting_activations_of_jobs([row.job_id], Code.DISCARDED),
        lambda _row, _state: not Activation.objects.filter(ended_at=None).exists(),
    ),
    "alerts are checked": (
        lambda row: alert_mutes.schedule_alert_checks([row.job_id]),
        lambda _row, state: state.alert_at is not None,
    ),
    "a copy is adopted": (
        lambda row: lifecycle.adopt_jobs([row.job_id], database_now(), raise_tokens_by=1000, skip_missed=True),
        lambda row, state: state.last_token >= 1000 and not row.is_open,
    ),
    "a retry of a backfill is made due": (
        lambda row: lifecycle.make_backfill_retry_due_now(row.pk),
        lambda _row, state: state.backfill_at is not None and state.backfill_at <= database_now(),
    ),
    "a backfill fails": (
        lambda row: lifecycle.fail_backfill(row.pk, "ValueError: no such day"),
        lambda row, _state: row.error,
    ),
    "a backfill is cancelled": (
        lambda row: lifecycle.cancel_backfill(row.pk, "ann"),
        lambda row, _state: row.cancelled_at is not None,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_requested_change_waits_for_the_state_of_the_job(name: str) -> None:
    change, is_made = CHANGES[name]
    job = daily(2)
    row = a_backfill(job, attempt=1)
    an_activation(job)
    JobState.objects.filter(pk=job.pk).update(backfill_at=database_now() + dt.timedelta(hours=1))
    with transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=job.pk))
        waiting = in_another_thread(lambda: change(row), [])
    waiting.join()
    row.refresh_from_db()
    assert is_made(row, state_of(job))


def test_a_new_backfill_waits_for_the_state_of_the_job() -> None:
    job = daily(2)
    results: list[Any] = []
    with transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=job.pk))
        waiting = in_another_thread(lambda: a_backfill(job), results)
    waiting.join()
    assert results == [Backfill.objects.get()]


def cancel(row: Backfill) -> Callable[[], bool]:
    return lambda: lifecycle.cancel_backfill(row.pk, "ann")


def claim(_row: Backfill) -> Callable[[], bool]:
    plans = planned()
    return lambda: bool(lifecycle.claim(plans, database_now()))


def finish(_row: Backfill) -> Callable[[], bool]:
    run = claimed()
    nonce = started(run)
    return lambda: lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))


@pytest.mark.parametrize(
    ("prepare", "expected"), [(cancel, (0, 0, False)), (claim, (1, 0, True)), (finish, (1, 1, True))]
)
def test_a_change_of_a_backfill_waits_for_its_row(
    prepare: Callable[[Backfill], Callable[[], bool]], expected: tuple[int, int, bool]
) -> None:
    row = a_backfill(daily(2))
    step, results = prepare(row), list[bool]()
    with transaction.atomic():
        list(Backfill.objects.select_for_update().filter(pk=row.pk))
        waiting = in_another_thread(step, results)
    waiting.join()
    row.refresh_from_db()
    assert results == [True] and (row.made, row.succeeded, row.is_open) == expected


@pytest.mark.parametrize("prepare", [cancel, claim, finish])
def test_a_change_of_a_backfill_does_not_wait_for_the_row_of_another_one(
    prepare: Callable[[Backfill], Callable[[], bool]],
) -> None:
    jobs = [daily(2) for _each in range(2)]
    row = a_backfill(jobs[0])
    step = prepare(row)
    other = a_backfill(jobs[1])
    with ThreadPoolExecutor(1) as executor, transaction.atomic():
        list(Backfill.objects.select_for_update().filter(pk=other.pk))
        assert executor.submit(with_own_connection(step)).result(timeout=60)


def test_a_run_by_hand_does_not_wait_for_the_group_of_another_job() -> None:
    own, other = (Group.objects.create(name=name, limit=1) for name in ("own", "other"))
    job = a_booked_job(cron="0 0 1 1 *", group=own)
    with ThreadPoolExecutor(1) as executor, transaction.atomic():
        list(Group.objects.select_for_update().filter(pk=other.pk))
        run = executor.submit(with_own_connection(lambda: run_now(job, requested_by="ann"))).result(timeout=60)
    assert run.status == Status.CLAIMED


def with_own_connection(step: Callable[[], T]) -> Callable[[], T]:
    def call() -> T:
        with closing(connection):
            return step()

    return call


def suspend(jobs: list[Job]) -> int:
    for job in jobs:
        lifecycle.suspend_schedule(state_of(job), ValueError("no such day"))
    return JobState.objects.exclude(schedule_error="").count()


def check_alerts(_jobs: list[Job]) -> int:
    return lifecycle.update_due_alerts(database_now(), 10)[0]


def book(jobs: list[Job]) -> int:
    return lifecycle.book_next_instants([job.pk for job in jobs], database_now())


@pytest.mark.parametrize(
    ("step", "model"), [(suspend, JobState), (check_alerts, JobState), (book, JobState), (book, Job)]
)
def test_a_step_of_a_tick_leaves_a_job_with_a_locked_row_for_later(
    step: Callable[[list[Job]], int], model: type[Job] | type[JobState]
) -> None:
    jobs = [a_booked_job(cron="0 0 1 1 *") for _each in range(2)]
    JobState.objects.update(alert_at=database_now())

    with ThreadPoolExecutor(1) as other, transaction.atomic():
        list(model._default_manager.select_for_update().filter(pk=jobs[0].pk))
        assert other.submit(with_own_connection(lambda: step(jobs))).result(timeout=60) == 1
    assert step(jobs) == (1 if step == check_alerts else 2)

"""The regular tests of the guarantees: what they find, and that each run is tested once."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.insights import guarantees as figures
from chroniker.models import (
    EventKind,
    Group,
    Guarantee,
    GuaranteeHour,
    GuaranteeProgress,
    Job,
    Lease,
    Run,
    RunEvent,
    Status,
    Trigger,
)
from chroniker.scheduler import guarantees
from tests.support.factories import a_booked_job

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = dt.timedelta(minutes=1)


def a_run(job: Job, token: int, start: float, end: float | None, *, slot: str = "", covers: float = 0) -> Run:
    """A run from ``start`` to ``end`` minutes ago; without an end it is open and has a lease.

    ``covers``: it covers the instants of so many minutes from its start.
    """
    now = database_now()
    covered = (
        {"scheduled_for": now - start * MINUTE, "covered_until": now - (start - covers) * MINUTE} if covers else {}
    )
    run = Run.objects.create(
        job=job,
        token=token,
        slot=slot,
        status=Status.RUNNING if end is None else Status.SUCCEEDED,
        nonce="00000000-0000-0000-0000-000000000001",
        trigger=Trigger.SCHEDULE,
        claimed_at=now - start * MINUTE,
        started_at=now - start * MINUTE,
        finished_at=None if end is None else now - end * MINUTE,
        **covered,
    )
    if end is None:
        Lease.objects.get_or_create(
            job=job, slot=slot, defaults={"run": run, "token": token, "expires_at": now + MINUTE}
        )
    return run


def found(guarantee: Guarantee) -> int | None:
    return figures.fetch_guarantee_test_results(database_now())[guarantee].counts[0]


def overlaps() -> list[int]:
    return list(
        RunEvent.objects.filter(kind=EventKind.OVERLAP).order_by("run__token").values_list("run__token", flat=True)
    )


def test_without_a_test_nothing_is_known() -> None:
    measured = figures.fetch_guarantee_test_results(database_now())
    assert {each.counts for each in measured.values()} == {(None, None, None)}
    assert not any(each.is_fresh for each in measured.values())


def test_runs_one_after_the_other_and_runs_of_other_slots_hold_every_guarantee() -> None:
    job, other = a_booked_job(), a_booked_job()
    a_run(job, 1, 30, 20, covers=5), a_run(job, 2, 20, 10, covers=5), a_run(other, 1, 25, None)
    a_run(job, 3, 9, 5, slot="a"), a_run(job, 4, 9, 5, slot="b")
    guarantees.run_guarantee_tests(database_now())
    assert [found(each) for each in Guarantee] == [0, 0, 0, 0] and overlaps() == []


def test_an_overlap_is_found_once_and_leaves_an_event() -> None:
    job = a_booked_job()
    a_run(job, 1, 30, 10), a_run(job, 2, 20, 15), a_run(job, 3, 8, 5)
    guarantees.run_guarantee_tests(database_now())
    guarantees.run_guarantee_tests(database_now())
    assert found(Guarantee.ONE_INSTANCE) == 1 and overlaps() == [2]


def test_a_run_that_was_open_at_the_last_test_is_tested_again() -> None:
    job = a_booked_job()
    first = a_run(job, 1, 30, None)
    guarantees.run_guarantee_tests(database_now())
    assert found(Guarantee.ONE_INSTANCE) == 0
    Run.objects.filter(pk=first.pk).update(token=2)
    a_run(job, 1, 40, 20)  # it becomes known late, as after a restore
    guarantees.run_guarantee_tests(database_now())
    assert found(Guarantee.ONE_INSTANCE) == 1 and overlaps() == [2]


def test_a_run_is_left_to_the_next_test_while_its_transaction_may_be_open() -> None:
    job = a_booked_job()
    guarantees.run_guarantee_tests(database_now())
    a_run(job, 1, 0.7, 0.1), a_run(job, 2, 0.5, 0.2)
    guarantees.run_guarantee_tests(database_now())
    assert found(Guarantee.ONE_INSTANCE) == 0
    guarantees.run_guarantee_tests(database_now() + 2 * MINUTE)
    assert found(Guarantee.ONE_INSTANCE) == 1


def test_an_instant_that_two_runs_cover_is_found() -> None:
    job = a_booked_job()
    a_run(job, 1, 30, 25, covers=12), a_run(job, 2, 20, 15, covers=5)
    guarantees.run_guarantee_tests(database_now())
    assert found(Guarantee.ONE_RECORD) == 1 and found(Guarantee.ONE_INSTANCE) == 0


def test_a_lease_that_no_tick_has_expired_is_found() -> None:
    run = a_run(a_booked_job(), 1, 30, None)
    Lease.objects.filter(run=run).update(expires_at=database_now() - 4 * MINUTE)
    guarantees.run_guarantee_tests(database_now())
    assert found(Guarantee.CLAIMS_END) == 1


def test_a_group_above_its_limit_is_found() -> None:
    full, above = Group.objects.create(name="full", limit=2), Group.objects.create(name="above", limit=1)
    for group in (full, above):
        for _each in range(2):
            a_run(a_booked_job(group=group), 1, 5, None)
    guarantees.run_guarantee_tests(database_now())
    assert found(Guarantee.GROUP_LIMIT) == 1


def test_the_results_are_added_up_by_hour_and_old_ones_are_deleted() -> None:
    now = database_now()
    GuaranteeHour.objects.create(guarantee="1", hour=now - dt.timedelta(days=3), tests=6, violations=2)
    GuaranteeHour.objects.create(guarantee="1", hour=now - dt.timedelta(days=32), tests=6, violations=9)
    guarantees.run_guarantee_tests(now)
    guarantees.run_guarantee_tests(now)
    measured = figures.fetch_guarantee_test_results(now)[Guarantee.ONE_INSTANCE]
    assert measured.counts == (0, 2, 2) and measured.is_fresh
    assert GuaranteeHour.objects.filter(hour__gt=now - dt.timedelta(hours=1)).first().tests == 2  # type: ignore[union-attr]
    assert not GuaranteeHour.objects.filter(hour__lt=now - dt.timedelta(days=31)).exists()


def test_a_test_takes_the_same_statements_however_many_runs() -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            guarantees.run_guarantee_tests(database_now())
        return len(queries)

    guarantees.run_guarantee_tests(database_now())
    before = statements()
    GuaranteeProgress.objects.update(until=database_now() - dt.timedelta(hours=1))
    for _job in range(5):
        job = a_booked_job()
        for token in range(1, 9):
            a_run(job, token, 50 - token * 2, 49 - token * 2, covers=1)
    assert statements() == before

"""The figures about reliability, as far as they are in the database."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.insights import reliability
from chroniker.insights.reliability import EventCounts
from chroniker.models import EventKind, Job, Lease, Run, RunEvent, Status, Trigger
from tests.support.factories import a_booked_job

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)


def a_run(
    job: Job, token: int, start: float, end: float | None, *, slot: str = "", claimed: float | None = None
) -> Run:
    """A run from ``start`` to ``end`` minutes ago; with ``None`` it is open and has a lease."""
    now = database_now()
    run = Run.objects.create(
        job=job,
        token=token,
        slot=slot,
        status=Status.RUNNING if end is None else Status.SUCCEEDED,
        nonce="00000000-0000-0000-0000-000000000001",
        trigger=Trigger.MANUAL,
        claimed_at=now - (start if claimed is None else claimed) * MINUTE,
        started_at=now - start * MINUTE,
        finished_at=None if end is None else now - end * MINUTE,
    )
    if end is None:
        Lease.objects.get_or_create(job=job, slot=slot, defaults={"run": run, "token": token, "expires_at": now + DAY})
    return run


def overlapping_tokens(**options: Any) -> list[int]:
    return [each.run.token for each in reliability.find_overlaps(database_now(), **options).found]


def test_successive_runs_do_not_overlap() -> None:
    job, other = a_booked_job(), a_booked_job()
    a_run(job, 1, 10, 8), a_run(job, 2, 8 - 0.001, 6), a_run(job, 3, 5, None)
    a_run(other, 1, 9, 7)
    assert overlapping_tokens() == overlapping_tokens(everything=True) == []


def test_a_run_that_ends_when_the_next_starts_does_not_overlap() -> None:
    job = a_booked_job()
    first, second = a_run(job, 1, 10, 8), a_run(job, 2, 8, 6)
    Run.objects.filter(pk=second.pk).update(started_at=first.finished_at)
    assert overlapping_tokens() == []


def test_a_run_without_duration_does_not_overlap() -> None:
    job = a_booked_job()
    _long, short = a_run(job, 1, 10, 5), a_run(job, 2, 8, 8)
    Run.objects.filter(pk=short.pk).update(started_at=short.finished_at)
    assert overlapping_tokens() == []


def test_overlapping_runs_are_found_even_if_they_are_not_neighbours() -> None:
    job = a_booked_job()
    a_run(job, 1, 30, 5), a_run(job, 2, 20, 18), a_run(job, 3, 10, 8), a_run(job, 4, 4, 3)
    assert overlapping_tokens() == [3, 2]
    (third, second) = reliability.find_overlaps(database_now()).found
    first = Run.objects.get(job=job, token=1)
    assert third.other_run_end == second.other_run_end == first.finished_at
    assert not third.overlaps_now


def test_each_slot_is_evaluated_separately() -> None:
    job = a_booked_job()
    a_run(job, 1, 30, 5), a_run(job, 2, 29, 6, slot="host-1"), a_run(job, 3, 29, 6, slot="host-2")
    assert overlapping_tokens() == []


def test_two_open_runs_are_a_current_overlap() -> None:
    job = a_booked_job()
    a_run(job, 1, 30, None), a_run(job, 2, 10, None)
    found = reliability.find_overlaps(database_now())
    assert [(each.run.token, each.overlaps_now) for each in found.found] == [(2, True)]


def test_an_open_run_and_an_ended_run_are_not_a_current_overlap() -> None:
    job = a_booked_job()
    a_run(job, 1, 30, 5), a_run(job, 2, 10, None)
    found = reliability.find_overlaps(database_now())
    assert [(each.run.token, each.overlaps_now) for each in found.found] == [(2, False)]


def test_a_run_that_is_open_for_more_than_a_week_is_compared() -> None:
    job = a_booked_job()
    a_run(job, 1, 15_000, None), a_run(job, 2, 10, 5)
    assert overlapping_tokens() == [2]


def test_older_overlaps_are_found_when_everything_is_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    job = a_booked_job()
    a_run(job, 1, 20_000, 19_000), a_run(job, 2, 19_500, 19_400)
    assert overlapping_tokens() == [] and overlapping_tokens(everything=True) == [2]
    a_run(job, 3, 10, 5), a_run(job, 4, 8, 7), a_run(job, 5, 4, 3)
    assert overlapping_tokens() == [4]
    monkeypatch.setattr(reliability, "MAX_RUNS_COMPARED", 2)
    assert overlapping_tokens() == []
    monkeypatch.setattr(reliability, "MAX_RUNS_COMPARED", 3)
    assert overlapping_tokens() == [4]


def test_events_are_counted_by_kind_and_age() -> None:
    run, now = a_run(a_booked_job(), 1, 10, 5), database_now()
    ages = {EventKind.REFUSED_DELIVERY: (1, 100, 2000), EventKind.LOST: (90,), EventKind.NOTE: (1,)}
    for kind, minutes in ages.items():
        for age in minutes:
            RunEvent.objects.create(run=run, kind=kind, at=now - age * MINUTE)
    RunEvent.objects.create(run=run, kind=EventKind.LATE_REPORT, at=now - 8 * DAY)
    assert reliability.count_events(now) == {
        EventKind.REFUSED_DELIVERY: EventCounts(1, 2, 3),
        EventKind.LATE_REPORT: EventCounts(),
        EventKind.LATE_OUTCOME: EventCounts(),
        EventKind.LOST: EventCounts(0, 1, 1),
    }


def test_the_figures_need_a_constant_number_of_statements() -> None:
    job = a_booked_job()
    for token in range(1, 30):
        a_run(job, token, 100 - token, 100 - token - 0.5)
    with CaptureQueriesContext(connection) as captured:
        reliability.count_events(now := database_now())
        reliability.find_overlaps(now)
    assert len(captured) == 5  # with the one that asks for the time

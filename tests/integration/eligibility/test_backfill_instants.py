"""The instants of a backfill: which are computed in one pass, and what the stored runs show for them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.eligibility import backfill_instants
from chroniker.eligibility.backfill_instants import (
    InstantResult,
    InstantWindow,
    does_instant_need_run,
    read_instant_results,
)
from chroniker.models import Backfill, InstantSelection, Job, Run, Status, Trigger
from chroniker.models.backfill import schedule_to_json
from chroniker.schedule import Frequency
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
DAYS = [dt.datetime(2026, 3, 1 + n, tzinfo=dt.UTC) for n in range(6)]
MIDNIGHT = "0 0 * * *"


def a_run_for(job: Job, first: int, last: int | None = None, **fields: Any) -> Run:
    """A run of the schedule for these days, that was skipped."""
    low, high = DAYS[first], DAYS[first if last is None else last]
    values: dict[str, Any] = {"status": Status.SKIPPED, "trigger": Trigger.SCHEDULE, "origin": Trigger.SCHEDULE}
    values |= {"scheduled_for": low, "covered_until": high, "instant": low, "instant_until": high}
    values |= {"claimed_at": high, "finished_at": high, "token": 100 + Run.objects.count(), **fields}
    return Run.objects.create(job=job, **values)


def jobs(n: int) -> list[Job]:
    return [a_job(cron=MIDNIGHT) for _each in range(n)]


@pytest.mark.parametrize(
    ("last", "limit", "expected", "is_last"),
    [
        (3, 9, [0, 1, 2, 3], True),
        (3, 4, [0, 1, 2, 3], True),
        (3, 3, [0, 1, 2], False),
        (3, 1, [0], False),
    ],
)
def test_no_time_is_computed_after_the_last_and_the_last_is_not_left_out(
    last: int, limit: int, expected: list[int], is_last: bool
) -> None:
    after = DAYS[0] - dt.timedelta(microseconds=1)
    [job] = jobs(1)
    found = backfill_instants.compute_instants_outside_blackouts(job.spec, [], after, DAYS[last], limit)
    assert found == ([DAYS[n] for n in expected], DAYS[expected[-1]], is_last)


def test_a_schedule_with_one_time_has_no_further_one() -> None:
    job = a_job(frequency=Frequency.ONCE, cron="", run_at=DAYS[1])
    found = backfill_instants.compute_instants_outside_blackouts(job.spec, [], DAYS[0], DAYS[3], 1)
    assert found == ([DAYS[1]], DAYS[1], True)


@pytest.mark.parametrize(
    ("which", "include_unknown", "expected"),
    [
        (InstantSelection.ALL, False, {*InstantResult}),
        (InstantSelection.NOT_SUCCEEDED, False, {"NOT_RUN", "NOT_SUCCEEDED"}),
        (InstantSelection.NOT_SUCCEEDED, True, {"NO_RECORD", "NOT_RUN", "NOT_SUCCEEDED"}),
        (InstantSelection.NOT_RUN, False, {"NOT_RUN"}),
        (InstantSelection.NOT_RUN, True, {"NO_RECORD", "NOT_RUN"}),
    ],
)
def test_the_selection_of_a_backfill_decides_which_results_get_a_run(
    which: InstantSelection, include_unknown: bool, expected: set[str]
) -> None:
    needed = {each for each in InstantResult if does_instant_need_run(which, each, include_unknown=include_unknown)}
    assert needed == expected


def test_without_a_time_no_run_is_read() -> None:
    [job] = jobs(1)
    a_run_for(job, 0)
    with CaptureQueriesContext(connection) as statements:
        assert read_instant_results([InstantWindow(job.pk, [])]) == {job.pk: []}
    assert len(statements) == 0


def test_the_run_of_one_host_does_not_count_as_the_run_on_every_host() -> None:
    [job] = jobs(1)
    a_run_for(job, 0, status=Status.FAILED, started_at=DAYS[0])
    a_run_for(job, 0, slot="7", scheduled_for=None, covered_until=None, status=Status.SUCCEEDED, started_at=DAYS[0])
    assert read_instant_results([InstantWindow(job.pk, DAYS[:1])]) == {job.pk: ["NOT_SUCCEEDED"]}


@pytest.mark.every_database
def test_a_run_that_began_before_the_first_time_covers_it_whatever_runs_other_jobs_have() -> None:
    job, other = jobs(2)
    a_run_for(job, 0)
    a_run_for(job, 1, 3)
    a_run_for(other, 2)
    assert read_instant_results([InstantWindow(job.pk, DAYS[2:5])]) == {job.pk: ["NOT_RUN", "NOT_RUN", "NO_RECORD"]}


def test_runs_for_earlier_and_later_times_take_no_place_of_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier, later, job = jobs(3)
    a_run_for(earlier, 0)
    a_run_for(later, 2)
    a_run_for(job, 1)
    monkeypatch.setattr(backfill_instants, "MAX_RUNS_PER_READ", 2)
    found = read_instant_results([InstantWindow(each.pk, DAYS[1:2]) for each in (earlier, later, job)])
    assert found == {earlier.pk: ["NO_RECORD"], later.pk: ["NO_RECORD"], job.pk: ["NOT_RUN"]}


def test_a_read_that_is_cut_decides_the_times_before_the_last_run_that_it_read(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = jobs(3)
    for n in range(3):
        a_run_for(first, n)
    a_run_for(second, 1, 2)
    a_run_for(third, 0)
    windows = [InstantWindow(job.pk, DAYS[:3]) for job in (first, second, third)]
    monkeypatch.setattr(backfill_instants, "MAX_RUNS_PER_READ", 4)
    assert read_instant_results(windows) == {first.pk: ["NOT_RUN"] * 3, second.pk: ["NO_RECORD"]}
    monkeypatch.setattr(backfill_instants, "MAX_RUNS_PER_READ", 6)
    assert read_instant_results(windows) == {
        first.pk: ["NOT_RUN"] * 3,
        second.pk: ["NO_RECORD", "NOT_RUN", "NOT_RUN"],
        third.pk: ["NOT_RUN", "NO_RECORD", "NO_RECORD"],
    }


def test_a_backfill_gets_as_far_as_its_times_are_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    [job] = jobs(1)
    for n in range(5):
        a_run_for(job, n)
    row = Backfill(job=job, first=DAYS[0], last=DAYS[4], spec=schedule_to_json(job.spec), planned=5)
    monkeypatch.setattr(backfill_instants, "MAX_RUNS_PER_READ", 3)
    [found] = backfill_instants.find_next_instants_of_backfills([(row, [])])[0].values()
    assert [each.instant for each in found.instants_with_results] == DAYS[:2]
    assert (found.until, found.is_last) == (DAYS[1], False)

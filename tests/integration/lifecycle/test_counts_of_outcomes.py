"""Which closed runs one transaction counts, and what is counted besides those of each hour."""

from __future__ import annotations

import pytest
from django.db.models import Sum

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import hourly_counts
from chroniker.models import Run, RunCount, RunTotal, Status, Trigger
from chroniker.schedule import jitter
from tests.integration.lifecycle.uncounted_runs import SECOND, closed_runs
from tests.support.factories import a_job


def test_a_portion_of_the_runs_is_counted_at_a_time_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hourly_counts, "MAX_RUNS_PER_TRANSACTION", 2)
    job, now = a_job(), database_now()
    waiting = [closed_runs(job, 1, uncounted_since=now - age * SECOND)[0].pk for age in (1, 5, 2, 4, 3)]
    assert lifecycle.add_closed_runs_to_counters() == 2
    left = set(Run.objects.filter(uncounted_since__isnull=False).values_list("pk", flat=True))
    assert left == {waiting[0], waiting[2], waiting[4]}
    assert [lifecycle.add_closed_runs_to_counters() for _each in range(3)] == [2, 1, 0]
    assert RunTotal.objects.aggregate(sum=Sum("succeeded"))["sum"] == 5


def test_runs_and_durations_are_added_up_by_outcome() -> None:
    job = a_job()
    closed_runs(job, 2)
    closed_runs(job, 1, status=Status.STOPPED, started_at=None)
    lifecycle.add_closed_runs_to_counters()
    closed_runs(job, 1)
    lifecycle.add_closed_runs_to_counters()
    rows = RunCount.objects.filter(runs__gt=0).order_by("outcome").values_list("outcome", "runs", "seconds")
    assert list(rows) == [("stopped", 1, 0.0), ("succeeded", 3, 27.0)]


@pytest.mark.parametrize("seconds", [0, 1, 3600])
def test_the_start_delay_begins_after_the_jitter_of_the_job(seconds: int) -> None:
    """For eight jobs: the jitter of one may be very small."""
    now = database_now()
    for job in [a_job(jitter_seconds=seconds) for _each in range(8)]:
        planned = now - 0.5 * SECOND
        instant = planned - jitter(job.pk, seconds)
        closed_runs(job, 1, trigger=Trigger.SCHEDULE, scheduled_for=instant, covered_until=instant, started_at=now)
    lifecycle.add_closed_runs_to_counters()
    assert RunTotal.objects.aggregate(sum=Sum("delay_1"))["sum"] == 8

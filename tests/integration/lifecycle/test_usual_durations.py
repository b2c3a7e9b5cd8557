"""The usual duration of a job: which of its runs it is taken from, and how."""

from __future__ import annotations

import pytest

from chroniker.lifecycle.job_health import percentile, set_recent_durations
from chroniker.models import JobState
from tests.integration.lifecycle.backfills import a_backfill, daily, tick_until_ended
from tests.support.factories import state_of


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3.0], 50) == percentile([3.0], 95) == 3.0
    assert percentile([2.0, 1.0], 50) == 1.0
    assert percentile([float(n) for n in range(1, 201)], 95) == 190.0


def test_half_of_the_runs_and_nineteen_of_twenty_take_no_longer_than_usual() -> None:
    state = JobState()
    set_recent_durations(state, [float(n) for n in range(1, 50)])
    assert (state.p50, state.p95) == (25.0, 47.0)


@pytest.mark.django_db(transaction=True)
def test_a_successful_run_of_a_backfill_counts_and_has_a_duration_but_is_no_success_of_the_schedule() -> None:
    job = daily(2)
    row = a_backfill(job)
    while tick_until_ended(row):
        pass
    state = state_of(job)
    assert state.n_succeeded == len(state.recent_seconds) == row.succeeded > 0
    assert (state.last_success_at, state.last_success_until) == (None, None)

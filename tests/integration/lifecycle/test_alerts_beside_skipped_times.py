"""A claim that only records skipped times does not hide the alerts about the run that is open."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker.models import Run, Status
from tests.support.alert_clock import AlertClock, finish
from tests.support.factories import started, state_of

pytestmark = pytest.mark.django_db


def test_a_run_is_slow_although_times_are_skipped_while_it_runs(clock: AlertClock) -> None:
    job = clock.job(overlap="SKIP", alert_run_seconds=150)
    (run,) = clock.tick(minutes=1).claimed
    started(run)
    clock.tick(minutes=2)
    clock.tick(minutes=3)
    assert Run.objects.filter(job=job, status=Status.SKIPPED).count() == 2
    assert clock.reported == []
    clock.tick(minutes=3, seconds=30)
    assert clock.reported == ["alert.slow nightly"]


def test_a_claim_sets_the_next_look_for_its_own_run(clock: AlertClock) -> None:
    """Not for the run before it, which has ended."""
    job = clock.job(alert_run_seconds=150)
    (first,) = clock.tick(minutes=1).claimed
    finish(first)
    at = clock.at(minutes=2)
    assert len(clock.tick(minutes=2).claimed) == 1
    assert state_of(job).alert_at == at + dt.timedelta(seconds=150)

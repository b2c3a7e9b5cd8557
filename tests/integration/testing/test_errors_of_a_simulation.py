"""Errors of a simulated schedule: loops and wrong calls."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction

from chroniker.models import Status
from chroniker.testing import scheduler, simulated_scheduler
from tests.support.factories import a_booked_job, a_job

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]

START = dt.datetime(2025, 3, 29, tzinfo=dt.UTC)


def test_a_loop_of_retries_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_scheduler, "MAX_RUNS_ENDING_AT_ONCE", 5)
    a_job(name="hasty", cron="0 3 * * *", retry_on_lost=True, retry_backoff_seconds=0)
    with scheduler(START) as simulated, pytest.raises(RuntimeError, match="without a back-off"):
        simulated.ends("hasty", Status.LOST)
        simulated.advance(hours=4)


def test_wrong_calls_say_what_is_wrong() -> None:
    a_job(name="known")
    with pytest.raises(ValueError, match="has no time zone"), scheduler(START.replace(tzinfo=None)):
        pass
    with scheduler(START) as simulated:
        simulated.advance(hours=1)
        with pytest.raises(ValueError, match="cannot go back"):
            simulated.advance_to(START)
        with pytest.raises(LookupError, match="no job “unknown”"):
            simulated.ends("unknown", Status.FAILED)
        with pytest.raises(ValueError, match="ends with one of"):
            simulated.ends("known", Status.SKIPPED)
        with pytest.raises(ValueError, match="at most 14 days"):
            simulated.ends("known", after=dt.timedelta(days=15))
    a_booked_job(name="booked now")
    with pytest.raises(ValueError, match="was scheduled until"), scheduler(START):
        pass
    with transaction.atomic(), pytest.raises(RuntimeError, match=r"leave transaction\.atomic"), scheduler(START):
        pass

"""The steps that a new installation has completed, shown until the first run."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.insights.first_steps import FirstSteps, SetupStep, fetch_first_steps
from chroniker.models import Host, HostService, Ticker
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

LONG = dt.timedelta(days=2)


def steps() -> FirstSteps:
    found = fetch_first_steps(database_now())
    assert found is not None
    return found


def test_each_step_is_done_when_its_rows_exist() -> None:
    assert steps().done == {SetupStep.DATABASE} and not steps().ticked_before
    seen = {"last_at": database_now(), "period": 60, "pass_seconds": 0.1}
    Ticker.objects.create(host="here", kind="cron", version="2", pid=1, **seen)
    assert steps().done == {SetupStep.DATABASE, SetupStep.TICK}
    host = Host.objects.create(name="here", last_seen=database_now())
    HostService.objects.create(host=host, executor="default", worker="w", last_seen=database_now())
    assert steps().done == {SetupStep.DATABASE, SetupStep.TICK, SetupStep.WORKER}
    job = a_booked_job(cron="0 0 1 1 *")
    assert steps().done == set(SetupStep) and steps().remaining_steps == []
    run_now(job, requested_by="a test")
    assert fetch_first_steps(database_now()) is None


def test_a_process_that_was_seen_long_ago_is_no_step() -> None:
    past = database_now() - LONG
    Ticker.objects.create(host="here", kind="cron", version="2", pid=1, last_at=past, period=60, pass_seconds=0.1)
    host = Host.objects.create(name="here", last_seen=past)
    HostService.objects.create(host=host, executor="default", worker="w", last_seen=past)
    assert steps().done == {SetupStep.DATABASE} and steps().ticked_before

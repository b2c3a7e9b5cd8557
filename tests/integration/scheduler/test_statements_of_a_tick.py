"""Statements of ticks: one without work, few for blocked jobs and for stops."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker.eligibility import hosts
from chroniker.models import EVERY_HOST, EventKind, Group, Host, Job, Run, RunEvent
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.stopping import stop_runs_of_jobs_with_force_stop
from chroniker.scheduler.tick import tick
from tests.support.command_jobs import DUMMY
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started

pytestmark = pytest.mark.django_db

LOCAL = {"default": {"BACKEND": "chroniker.executors.local.LocalExecutor"}}


@pytest.mark.parametrize("uses_lock_files", [False, True])
@pytest.mark.parametrize("executors", [DUMMY, LOCAL])
def test_an_idle_tick_needs_one_statement(executors: dict[str, object], uses_lock_files: bool) -> None:
    group = Group.objects.create(name="two at once", limit=2)
    jobs = [a_booked_job(cron="0 0 1 1 *", group=group, hostname=host) for host in ("", "web1", EVERY_HOST)]
    a_dependency(jobs[0], jobs[1], wait_for_completion=True)
    backend = {"CHRONIKER_EXECUTORS": executors, "CHRONIKER_CHECK_LOCK_FILE": uses_lock_files}
    with override_settings(CHRONIKER_JOB_ERROR_CALLBACK="tests.testapp.nothing", **backend):
        hosts.record_heartbeat(["default"])
        tick()
        with CaptureQueriesContext(connection) as statements:
            result = tick()
    assert Host.objects.exists()
    assert result.claimed == []
    assert len(statements) == 1, [each["sql"] for each in statements]


def test_a_due_job_that_waits_for_another_one_costs_three_statements() -> None:
    first, blocked = a_booked_job(cron="0 0 1 1 *"), a_due_job()
    a_dependency(blocked, first, wait_for_success=True)
    tick()
    with CaptureQueriesContext(connection) as statements:
        assert tick().claimed == []
    assert len(statements) == 3, [each["sql"] for each in statements]


def test_stops_by_flag_need_the_same_number_of_statements_for_any_number_of_runs() -> None:
    def statements(jobs: int) -> int:
        runs = [run_now(a_booked_job(), requested_by="a test") for _ in range(jobs)]
        for run in runs:
            started(run)
        Job.objects.filter(pk__in=[run.job_id for run in runs]).update(force_stop=True)
        with CaptureQueriesContext(connection) as found:
            stop_runs_of_jobs_with_force_stop()
        assert Run.objects.filter(pk__in=[run.pk for run in runs], stop_requested_at=None).count() == 0
        events = RunEvent.objects.filter(run__in=runs, kind=EventKind.STOP_REQUESTED)
        assert events.count() == jobs
        return len(found)

    assert statements(7) == statements(1)

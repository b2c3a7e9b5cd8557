"""Two workers on one broker, with different host names."""

from __future__ import annotations

from pathlib import Path

import pytest

from chroniker.eligibility import hosts
from chroniker.models import HostService, Job, Run, Status
from chroniker.scheduler import stopping
from tests.integration.chroniker_celery.steps import NEVER, a_claimed_run, wait_until_closed
from tests.support.celery_processes import CeleryWorker
from tests.support.factories import a_booked_job, a_dependency
from tests.support.processes import wait_until, with_settings

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def test_each_run_goes_to_the_worker_of_its_host(env: dict[str, str], tmp_path: Path) -> None:
    names = ["one", "two", "two", "one"]
    runs = [a_claimed_run(hostname=name) for name in names]
    with (
        CeleryWorker(with_settings(env, CHRONIKER_HOSTNAME="one"), tmp_path) as one,
        CeleryWorker(with_settings(env, CHRONIKER_HOSTNAME="two"), tmp_path, queues=["others"]),
    ):
        closed = [wait_until_closed(run) for run in runs]
        assert [(run.status, run.host) for run in closed] == [(Status.SUCCEEDED, name) for name in names], one.log


def test_a_job_for_every_host_runs_on_each_worker_and_the_last_to_report_closes_it(
    env: dict[str, str], tmp_path: Path
) -> None:
    """Its command succeeds only if it runs at the same time as that on the other host. This host only ticks."""
    hosts.record_heartbeat()
    with (
        CeleryWorker(with_settings(env, CHRONIKER_HOSTNAME="one"), tmp_path) as one,
        CeleryWorker(with_settings(env, CHRONIKER_HOSTNAME="two"), tmp_path, queues=["others"]),
    ):
        wait_until(lambda: HostService.objects.filter(executor="default").count() == 2, what="both to be live")
        parent = a_claimed_run("meet", f"{tmp_path / 'witness'} 2", hostname="*")
        dependent = a_booked_job(cron=NEVER)
        a_dependency(dependent, parent.job, wait_for_success=True)
        Job.objects.filter(pk=dependent.pk).update(force_run=True)
        closed = wait_until_closed(parent)
        assert closed.status == Status.SUCCEEDED, (closed.reason, one.log)
        assert sorted(parent.children.values_list("host", flat=True)) == ["one", "two"]
        wait_until(lambda: Run.objects.filter(job=dependent, status=Status.SUCCEEDED).exists(), what="the dependent")


def test_stopping_a_run_on_every_host_reaches_each_worker(redis_env: dict[str, str], tmp_path: Path) -> None:
    with (
        CeleryWorker(with_settings(redis_env, CHRONIKER_HOSTNAME="one"), tmp_path),
        CeleryWorker(with_settings(redis_env, CHRONIKER_HOSTNAME="two"), tmp_path),
    ):
        wait_until(lambda: HostService.objects.count() == 2, what="both to be live")
        parent = a_claimed_run("sleep_for", "600", hostname="*")
        wait_until(lambda: parent.children.filter(status=Status.RUNNING).count() == 2, what="both to run")
        assert stopping.stop_run(parent.pk, "a test")
        assert wait_until_closed(parent).status == Status.STOPPED
        assert set(parent.children.values_list("status", flat=True)) == {Status.STOPPED}


def test_a_worker_reports_its_queues_its_slots_and_its_end(env: dict[str, str], tmp_path: Path) -> None:
    with CeleryWorker(env, tmp_path, queues=["fast", "slow"]) as worker:
        wait_until(HostService.objects.exists, what="its heartbeat")
        row = HostService.objects.get()
        assert {"fast", "slow"} <= set(row.queues), worker.log
        assert row.slots and row.busy == 0 and row.version
        run = a_claimed_run("noop", queue="fast")
        closed = wait_until_closed(run)
        assert (closed.worker, closed.queue, closed.executor) == (row.worker, "fast", "default")
        assert closed.taken_at and closed.started_at and run.claimed_at <= closed.taken_at <= closed.started_at
        assert closed.cpu_seconds and closed.max_rss_kb and closed.argv == ["noop"]
    wait_until(lambda: HostService.objects.exclude(ended_at=None).exists(), what="its end")

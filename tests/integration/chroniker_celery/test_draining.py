"""A worker of a draining host gets no more messages; another host's worker takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import draining
from chroniker.models import NO_QUEUE_PLACEHOLDER, Host, HostService, Status
from chroniker.scheduler import dispatch
from chroniker.scheduler.loop import TickLoop
from chroniker.scheduler.manual_runs import run_now
from tests.integration.chroniker_celery.steps import NEVER, wait_until_closed
from tests.support.celery_processes import CeleryWorker
from tests.support.factories import a_booked_job
from tests.support.processes import wait_until, with_settings

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def test_a_worker_of_a_draining_host_consumes_nothing_and_a_new_one_ends_the_drain(
    redis_env: dict[str, str], tmp_path: Path
) -> None:
    other = with_settings(redis_env, CHRONIKER_HOSTNAME="other", CHRONIKER_RUNTIME_DIR=str(tmp_path / "other"))
    with CeleryWorker(redis_env, tmp_path) as worker, CeleryWorker(other, tmp_path):
        wait_until(lambda: HostService.objects.count() == 2, what="both are known")
        dispatch.stop_or_continue_consuming(draining.record_drain_of_this_host("a test"), stop=True)
        wait_until(lambda: "Canceling queue celery" in worker.log, what="it stops consuming")
        runs = [run_now(a_booked_job(cron=NEVER), requested_by="a test") for _ in range(4)]
        for run in runs:
            closed = wait_until_closed(run)
            assert (closed.status, closed.host) == (Status.SUCCEEDED, "other")
    assert Host.objects.filter(name=settings.hostname, draining_since__isnull=False).exists()
    with CeleryWorker(redis_env, tmp_path):
        wait_until(lambda: not draining.select_this_host_if_draining().exists(), what="the drain ended")
        run = run_now(a_booked_job(cron=NEVER), requested_by="a test")
        assert wait_until_closed(run).host == settings.hostname


def test_undo_lets_the_workers_consume_again(redis_env: dict[str, str], tmp_path: Path) -> None:
    with CeleryWorker(redis_env, tmp_path) as worker:
        wait_until(HostService.objects.exists, what="it is known")
        dispatch.stop_or_continue_consuming(draining.record_drain_of_this_host("a test"), stop=True)
        wait_until(lambda: "Canceling queue celery" in worker.log, what="it stops consuming")
        [queues] = draining.select_this_host_if_draining().values_list("draining_workers", flat=True)
        assert queues and NO_QUEUE_PLACEHOLDER not in queues[0][2]
        assert dispatch.end_drain_of_this_host()
        wait_until(lambda: "Started consuming from celery" in worker.log, what="it consumes again")
        run = run_now(a_booked_job(cron=NEVER), requested_by="a test")
        assert wait_until_closed(run).status == Status.SUCCEEDED


def test_the_start_of_another_process_lets_the_workers_consume_again(redis_env: dict[str, str], tmp_path: Path) -> None:
    """Its start ends the drain: a worker that was not restarted must not stay without queues."""
    with CeleryWorker(redis_env, tmp_path) as worker:
        wait_until(HostService.objects.exists, what="it is known")
        dispatch.stop_or_continue_consuming(draining.record_drain_of_this_host("a test"), stop=True)
        wait_until(lambda: "Canceling queue celery" in worker.log, what="it stops consuming")
        TickLoop(5, print, kind="cronserver").tick_and_record_pass()
        wait_until(lambda: "Started consuming from celery" in worker.log, what="it consumes again")


def test_a_worker_that_has_shut_down_gets_no_hint() -> None:
    host = Host.objects.create(name=settings.hostname, last_seen=database_now())
    for name in ("left", "ended"):
        HostService.objects.create(host=host, executor="default", worker=name, queues=["q"], last_seen=host.last_seen)
    draining.record_drain_of_this_host("a test")
    HostService.objects.filter(worker="ended").update(ended_at=database_now())
    assert draining.record_end_of_drain_of_this_host() == [("default", "left", ["q"])]

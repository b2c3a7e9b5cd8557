"""Celery's control commands revoke and terminate (Flower's buttons) stop runs; they are not lost and not retried."""

from __future__ import annotations

from pathlib import Path

import pytest

from chroniker.models import Run, Status
from tests.celeryapp import app
from tests.integration.chroniker_celery.steps import a_claimed_run, status_of, wait_until_closed, wait_until_running
from tests.support.celery_processes import CeleryWorker

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_terminate_stops_a_running_run(env: dict[str, str], tmp_path: Path, pool: str) -> None:
    run = a_claimed_run("sleep_for", "600", retry_on_lost=True, max_retries=3)
    with CeleryWorker(env, tmp_path, pool=pool) as worker:
        wait_until_running(run)
        app.control.revoke(str(run.pk), terminate=True)
        closed = wait_until_closed(run, ticking=True)
        assert closed.status == Status.STOPPED, worker.log
        assert "Celery control command" in closed.reason
        assert Run.objects.filter(job=run.job_id).count() == 1
        after = a_claimed_run()
        assert wait_until_closed(after).status == Status.SUCCEEDED, worker.log


def test_revoke_closes_a_queued_run(env: dict[str, str], tmp_path: Path) -> None:
    running, waiting = a_claimed_run("sleep_for", "600"), a_claimed_run()
    with CeleryWorker(env, tmp_path, concurrency=1) as worker:
        wait_until_running(running)
        app.control.revoke(str(waiting.pk), reply=True)
        assert status_of(waiting) == Status.CLAIMED
        app.control.revoke(str(running.pk), terminate=True)
        closed = wait_until_closed(waiting)
        assert closed.status == Status.STOPPED, worker.log
        assert "Celery control command" in closed.stop_requester

"""A due job is claimed, sent to a worker and executed, and its result is stored."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from django.test import override_settings
from django.utils import timezone
from django_celery_results.models import TaskResult

from chroniker.models import Status
from chroniker.schedule import Frequency
from chroniker.scheduler import tick
from tests.integration.chroniker_celery.conftest import EXECUTORS
from tests.integration.chroniker_celery.steps import (
    a_claimed_run,
    only_run_of,
    output_of,
    wait_for_result,
    wait_until_closed,
)
from tests.support.celery_processes import CeleryWorker
from tests.support.factories import a_booked_job

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_a_due_job_runs_on_a_worker_and_its_result_has_the_runs_id(
    env: dict[str, str], tmp_path: Path, pool: str
) -> None:
    moment = timezone.now() - dt.timedelta(minutes=1)
    job = a_booked_job(
        since=moment - dt.timedelta(minutes=1),
        frequency=Frequency.ONCE,
        run_at=moment,
        cron="",
        command="spew",
        args="--non-ascii --c-level",
    )
    failing = a_claimed_run("fails", "--status 3")
    telling = a_claimed_run("env_dump")
    with CeleryWorker(env, tmp_path, pool=pool) as worker:
        tick.tick()
        run = wait_until_closed(only_run_of(job))
        assert (run.status, run.exit_code) == (Status.SUCCEEDED, 0), worker.log
        assert output_of(run) == "héllo 你好 🙂\nwritten by the c library\n"
        result = wait_for_result(run)
        assert result.state == "SUCCESS"
        assert result.get() == {
            "status": "SUCCEEDED",
            "exit_code": 0,
            "reason": run.reason,
            "job": job.name,
            "token": 1,
        }

        told = wait_until_closed(telling)
        seen = json.loads(output_of(told))["environ"]
        assert told.instant is not None
        assert seen["CHRONIKER_SCHEDULED_FOR"] == seen["CHRONIKER_COVERED_UNTIL"] == told.instant.isoformat()
        assert (seen["CHRONIKER_RUN_ID"], seen["CHRONIKER_TRIGGER"]) == (str(told.pk), "MANUAL")

        failed = wait_for_result(wait_until_closed(failing))
        assert failed.state == "FAILURE"
        assert "it exited with status 3" in str(failed.result)
        assert "Traceback" not in worker.log


def test_a_worker_stores_no_result_where_the_executor_wants_none(redis_env: dict[str, str], tmp_path: Path) -> None:
    without = {"default": EXECUTORS["default"] | {"OPTIONS": {"app": "tests.celeryapp:app", "results": False}}}
    with override_settings(CHRONIKER_EXECUTORS=without):
        runs = [a_claimed_run(), a_claimed_run("fails", "--status 3")]
    last = a_claimed_run()
    with CeleryWorker(redis_env, tmp_path, pool="solo"):
        wait_for_result(last)
    assert list(TaskResult.objects.values_list("task_id", flat=True)) == [str(last.pk)]
    assert [wait_until_closed(run).status for run in runs] == [Status.SUCCEEDED, Status.FAILED]

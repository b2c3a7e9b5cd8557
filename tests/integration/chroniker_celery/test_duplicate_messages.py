"""Duplicate, late and forged messages start nothing: the database decides."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from django_celery_results.models import TaskResult

from chroniker.models import EventKind, Run, Status
from chroniker_celery.publish import TASK_NAME, RunMessage, publish
from tests.celeryapp import app
from tests.integration.chroniker_celery.conftest import TIMEOUT
from tests.integration.chroniker_celery.steps import (
    a_claimed_run,
    events_of,
    status_of,
    wait_for_result,
    wait_until_closed,
)
from tests.support.celery_processes import CeleryWorker
from tests.support.processes import wait_until, with_settings
from tests.testapp import witnessing

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def send_again(run: Run, *, times: int = 1, token: int | None = None) -> None:
    message = RunMessage(run.pk, run.token if token is None else token)
    for _ in range(times):
        publish(app, [message], timeout=TIMEOUT)


def test_one_of_five_deliveries_to_two_hosts_runs_and_the_others_are_recorded(
    env: dict[str, str], tmp_path: Path, witness: Path
) -> None:
    run = a_claimed_run("witness", f"{witness} job --seconds 2")
    send_again(run, times=4)
    hosts = [
        with_settings(env, CHRONIKER_HOSTNAME=name, CHRONIKER_RUNTIME_DIR=str(tmp_path / name))
        for name in ("one", "two")
    ]
    with CeleryWorker(hosts[0], tmp_path, concurrency=3) as first, CeleryWorker(hosts[1], tmp_path, pool="threads"):
        closed = wait_until_closed(run)
        wait_until(lambda: len(events_of(run, EventKind.REFUSED_DELIVERY)) == 4, what="four refusals")
        result = wait_for_result(run)
        assert closed.status == Status.SUCCEEDED, first.log
        assert result.state == "SUCCESS"

        stored = TaskResult.objects.get()
        assert stored.task_id == str(run.pk)
        send_again(run)
        wait_until(lambda: len(events_of(run, EventKind.REFUSED_DELIVERY)) == 5, what="a late one is refused too")
    assert TaskResult.objects.get().date_done == stored.date_done
    assert len(witnessing.begun(witness)) == 1
    assert Run.objects.get(pk=run.pk).host == closed.host


def test_one_delivery_of_two_to_the_same_host_is_refused(
    redis_env: dict[str, str], tmp_path: Path, witness: Path
) -> None:
    run = a_claimed_run("witness", f"{witness} job --seconds 2")
    send_again(run)
    with CeleryWorker(redis_env, tmp_path, concurrency=2):
        assert wait_until_closed(run).status == Status.SUCCEEDED
        wait_until(lambda: events_of(run, EventKind.REFUSED_DELIVERY), what="refused")
        assert wait_for_result(run).state == "SUCCESS"
    assert len(witnessing.begun(witness)) == 1


def test_forged_messages_start_nothing_and_leave_no_result(env: dict[str, str], tmp_path: Path, witness: Path) -> None:
    run = a_claimed_run("witness", f"{witness} job")
    other = a_claimed_run()
    app.control.purge()
    run_id = str(run.pk)
    send_again(run, token=run.token + 1)
    publish(app, [RunMessage(uuid4(), 1)], timeout=TIMEOUT)
    for words, task_id in (
        ([], run_id),
        ([run_id], run_id),
        ([run_id, str(run.token)], run_id),
        (["no uuid", 1], "no uuid"),
        ([run_id, run.token], str(uuid4())),
        ([{"command": "flush"}, 1], run_id),
    ):
        app.send_task(TASK_NAME, words, task_id=task_id)
    app.send_task(TASK_NAME, [run_id, run.token], {"command": "flush"}, task_id=run_id)
    send_again(other)  # the last in the queue: when it has run, the others were processed
    with CeleryWorker(env, tmp_path, pool="solo") as worker:
        wait_for_result(wait_until_closed(other))
        assert status_of(run) == Status.CLAIMED, worker.log
        assert [stored.task_id for stored in TaskResult.objects.all()] == [str(other.pk)]
        assert [event.description for event in events_of(run, EventKind.REFUSED_DELIVERY)] != []
    assert not witness.exists()
    assert "Traceback" not in worker.log

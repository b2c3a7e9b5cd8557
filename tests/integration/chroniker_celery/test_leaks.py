"""Nothing stays for ever: results go with their runs, and queues of vanished hosts by themselves."""

from __future__ import annotations

import datetime as dt
import io
import time
import uuid
from pathlib import Path

import kombu
import pytest
import redis
from amqp.exceptions import NotFound
from django.core.management import call_command
from django.test import override_settings
from django_celery_results.models import TaskResult

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, Run, Status
from chroniker.scheduler import job_deletion, retention
from chroniker.scheduler.manual_runs import run_now
from chroniker_celery import queues, results
from chroniker_celery.publish import TASK_NAME, RunMessage, publish
from tests.celeryapp import app
from tests.integration.chroniker_celery.conftest import EXECUTORS, TIMEOUT
from tests.integration.chroniker_celery.steps import NEVER, wait_until_closed
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryWorker
from tests.support.factories import a_booked_job
from tests.support.processes import wait_until, with_settings

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


@override_settings(CHRONIKER_EXECUTORS=EXECUTORS)
def test_the_results_of_runs_are_deleted_with_them() -> None:
    job, now = a_booked_job(cron=NEVER), database_now()
    runs = [
        Run(job=job, token=token, status=Status.STOPPED, trigger="MANUAL", claimed_at=now,
            finished_at=now, executor="default" if token < 42 else "a removed executor")
        for token in range(1, 43)
    ]  # fmt: skip
    Run.objects.bulk_create(runs)
    others = uuid.uuid4()
    TaskResult.objects.bulk_create([TaskResult(task_id=str(pk)) for pk in (*(run.pk for run in runs), others)])
    assert retention.delete_runs([run.pk for run in runs]) == 42
    left = set(TaskResult.objects.values_list("task_id", flat=True))
    assert left == {str(others), str(runs[-1].pk)}


@override_settings(CHRONIKER_EXECUTORS=EXECUTORS)
def test_the_results_of_a_job_are_deleted_with_it() -> None:
    job, other, now = a_booked_job(cron=NEVER), a_booked_job(cron=NEVER), database_now()
    values = {"token": 1, "status": Status.STOPPED, "claimed_at": now, "finished_at": now, "executor": "default"}
    run, kept = (Run.objects.create(job=each, trigger="MANUAL", **values) for each in (job, other))
    TaskResult.objects.bulk_create([TaskResult(task_id=str(each.pk)) for each in (run, kept)])
    job_deletion.request_job_deletion([job.pk])
    assert job_deletion.delete_marked_jobs() == 1
    assert [each.pk for each in Job.objects.all()] == [other.pk]
    assert list(TaskResult.objects.values_list("task_id", flat=True)) == [str(kept.pk)]


@override_settings(CHRONIKER_EXECUTORS=EXECUTORS)
def test_results_of_runs_that_no_longer_exist_are_deleted_by_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS_PER_BATCH", 3)
    job, now = a_booked_job(cron=NEVER), database_now()
    values = {"status": Status.STOPPED, "trigger": "MANUAL", "claimed_at": now, "finished_at": now}
    runs = [Run(job=job, token=token, **values) for token in range(1, 6)]
    Run.objects.bulk_create(runs)
    old, new = now - dt.timedelta(days=40), now - dt.timedelta(days=1)
    a_result(*(uuid.uuid4() for _each in range(6)), "no id", stored=old)
    kept = [
        *a_result(*(run.pk for run in runs[:3]), runs[3].pk.hex, str(runs[4].pk).upper(), stored=old),
        *a_result(uuid.uuid4(), stored=old, name="shop.report"),
        *a_result(uuid.uuid4(), stored=old, name=None),
        *a_result(uuid.uuid4(), stored=new),
    ]
    out = io.StringIO()
    call_command("cron_clean", "days", "30", stdout=out)
    assert "deleted 7 results of runs that no longer exist" in out.getvalue()
    assert sorted(TaskResult.objects.values_list("task_id", flat=True)) == sorted(kept)
    out = io.StringIO()
    call_command("cron_clean", "days", "30", stdout=out)
    assert "results" not in out.getvalue()


def a_result(*task_ids: uuid.UUID | str, stored: dt.datetime, name: str | None = TASK_NAME) -> list[str]:
    texts = [str(each) for each in task_ids]
    TaskResult.objects.bulk_create([TaskResult(task_id=each, task_name=name) for each in texts])
    TaskResult.objects.filter(task_id__in=texts).update(date_done=stored)
    return texts


def test_a_host_that_is_back_gets_the_runs_whose_queue_has_expired(
    redis_env: dict[str, str], redis_broker: Broker, tmp_path: Path
) -> None:
    run = run_now(a_booked_job(cron=NEVER, hostname="back"), requested_by="a test")
    Run.objects.filter(pk=run.pk).update(dispatched_at=run.claimed_at.replace(year=2020))
    redis.Redis.from_url(redis_broker.url).flushall()  # its messages are lost; nothing ticks
    with CeleryWorker(with_settings(redis_env, CHRONIKER_HOSTNAME="back"), tmp_path):
        assert wait_until_closed(run).status == Status.SUCCEEDED


def test_queues_of_vanished_hosts_expire_on_rabbitmq(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "HOST_QUEUE_EXPIRY_SECONDS", 1.0)
    if broker.name != "rabbitmq":
        return  # Redis removes an empty list by itself
    hosts = [f"pod-{uuid.uuid4().hex[:8]}" for _ in range(20)]
    messages = [RunMessage(uuid.uuid4(), 1, host=host) for host in hosts]
    assert len(publish(app, messages, timeout=TIMEOUT)) == 20
    wait_until(lambda: all_gone(hosts), what="all expired")
    assert not any(exists(exchange=f"{queues.HOST_QUEUE_PREFIX}{host}") for host in hosts)


def all_gone(hosts: list[str]) -> bool:
    """A question counts as a use, so it is asked after a time in which the queues may expire."""
    time.sleep(3)
    return not any(exists(queue=f"{queues.HOST_QUEUE_PREFIX}{host}") for host in hosts)


def exists(queue: str = "", exchange: str = "") -> bool:
    with app.connection_for_write() as link:
        try:
            if queue:
                kombu.Queue(queue, channel=link.default_channel).queue_declare(passive=True)
            else:
                kombu.Exchange(exchange, channel=link.default_channel).declare(passive=True)
        except NotFound:
            return False
    return True

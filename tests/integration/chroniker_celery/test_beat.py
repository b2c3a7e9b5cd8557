"""celery beat --scheduler chroniker_celery.beat:Scheduler."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import redis

from chroniker.clock.database_clock import database_now
from chroniker.models import Host, Job, Run, Status
from chroniker.schedule import Frequency
from tests.integration.chroniker_celery.steps import NEVER, wait_until_closed
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryBeat, CeleryWorker
from tests.support.factories import a_booked_job, a_job
from tests.support.processes import wait_until, with_settings
from tests.support.servers import FaultProxy, Mode

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]

DUMMY = {"default": {"BACKEND": "chroniker.executors.dummy.DummyExecutor"}}


def a_job_at(moment: dt.datetime) -> Job:
    return a_booked_job(frequency=Frequency.ONCE, run_at=moment, cron="")


def test_two_beats_start_each_job_once_at_its_scheduled_time(redis_env: dict[str, str], tmp_path: Path) -> None:
    env = with_settings(redis_env, CHRONIKER_EXECUTORS=DUMMY)
    with CeleryBeat(env, tmp_path) as first, CeleryBeat(env, tmp_path) as second:
        wait_until(Host.objects.exists, what="the first pass")
        start = database_now() + dt.timedelta(seconds=2)
        jobs = [a_job_at(start + dt.timedelta(seconds=number)) for number in range(8)]
        wait_until(lambda: Run.objects.filter(status=Status.CLAIMED).count() == len(jobs), what="all claimed")
        runs = list(Run.objects.order_by("claimed_at"))
        assert sorted(run.job_id for run in runs) == sorted(job.pk for job in jobs)
        assert all(run.scheduled_for is not None and run.claimed_at >= run.scheduled_for for run in runs)
        # Passes every five seconds, over seven seconds, would have made two groups of them, three at most.
        assert len({run.claimed_at for run in runs}) > 3
        for beat in (first, second):
            beat.popen.terminate()  # type: ignore[union-attr]
            assert beat.wait() == 0
            assert "Traceback" not in beat.log


def test_beat_detects_an_edit_and_a_new_job_and_a_worker_runs_them(env: dict[str, str], tmp_path: Path) -> None:
    job = a_booked_job(cron=NEVER)
    with CeleryBeat(env, tmp_path), CeleryWorker(env, tmp_path):
        wait_until(Host.objects.exists, what="the first pass")
        job.cron = "* * * * * *"
        job.save()
        new = a_job(cron="* * * * * *")
        for each in (job, new):
            runs = Run.objects.filter(job=each).order_by("token")
            wait_until(runs.all().exists, what="noticed")
            assert wait_until_closed(runs[0]).status == Status.SUCCEEDED
        Job.objects.update(enabled=False)


def test_beat_sends_the_other_entries_of_the_app(
    redis_env: dict[str, str], redis_broker: Broker, tmp_path: Path
) -> None:
    entries = {"often": {"task": "somewhere.else", "schedule": 0.5}}
    env = with_settings(redis_env, CELERY_BEAT_SCHEDULE=entries, CHRONIKER_EXECUTORS=DUMMY)
    job = a_job_at(database_now())
    client = redis.Redis.from_url(redis_broker.url)
    with CeleryBeat(env, tmp_path):
        wait_until(lambda: client.llen("celery") >= 3, what="sent again and again")
        wait_until(lambda: Run.objects.filter(job=job).exists(), what="claimed in between")
    client.close()


@pytest.mark.database("postgres", "mariadb")
def test_beat_logs_a_database_outage_once_and_continues_afterwards(redis_env: dict[str, str], tmp_path: Path) -> None:
    with FaultProxy(int(redis_env["CHRONIKER_TEST_DB_PORT"])) as proxy:
        env = with_settings({**redis_env, "CHRONIKER_TEST_DB_PORT": str(proxy.port)}, CHRONIKER_EXECUTORS=DUMMY)
        with CeleryBeat(env, tmp_path) as beat:
            wait_until(Host.objects.exists, what="the first pass")
            proxy.set(Mode.RESET)
            wait_until(lambda: "cannot be used" in beat.log, what="noticed")
            job = a_job_at(database_now())
            proxy.set(Mode.PASS)
            wait_until(lambda: Run.objects.filter(job=job).exists(), what="claimed")
            assert beat.log.count("cannot be used") == 1
            wait_until(lambda: "can be used again" in beat.log, what="the log entry")

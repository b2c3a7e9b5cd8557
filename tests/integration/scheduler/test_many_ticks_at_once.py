from __future__ import annotations

import datetime as dt
import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cronsim import CronSim

from chroniker.models import CatchUp, Lease, Run, RunEvent, Status
from tests.support.factories import a_booked_job
from tests.support.processes import ManagementCommand, wait_until, with_settings
from tests.testapp import witnessing

TICKS = 8
DUE = 50
ROUNDS = 8
MINUTE = dt.timedelta(minutes=1)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tickers(subprocess_env: dict[str, str]) -> Iterator[list[subprocess.Popen[str]]]:
    dummy = {"default": {"BACKEND": "chroniker.executors.dummy.DummyExecutor"}}
    env = with_settings(
        subprocess_env, CHRONIKER_EXECUTORS=dummy, CHRONIKER_BATCH_SIZE=7, CHRONIKER_CHECK_LOCK_FILE=False
    )
    words = [sys.executable, "-m", "tests.integration.scheduler.ticker"]
    started = [
        subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _each in range(TICKS)
    ]
    try:
        for ticker in started:
            assert answer(ticker) == "ready"
        yield started
    finally:
        for ticker in started:
            ticker.kill()
            ticker.communicate()


def answer(ticker: subprocess.Popen[str]) -> str:
    assert ticker.stdout is not None
    return ticker.stdout.readline().strip()


def one_round(tickers: list[subprocess.Popen[str]], now: dt.datetime) -> tuple[list[str], list[str]]:
    for ticker in tickers:
        assert ticker.stdin is not None
        ticker.stdin.write(f"{now.isoformat()}\n")
        ticker.stdin.flush()
    answers = [json.loads(answer(ticker)) for ticker in tickers]
    return [run for each in answers for run in each["claimed"]], [run for each in answers for run in each["started"]]


def test_no_scheduled_time_is_claimed_twice_started_twice_or_missed(tickers: list[subprocess.Popen[str]]) -> None:
    beginning = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) - 2 * ROUNDS * MINUTE
    jobs = [a_booked_job(since=beginning) for _each in range(DUE)]
    for number in range(ROUNDS):
        claimed, started = one_round(tickers, beginning + (number + 1) * MINUTE)
        assert len(claimed) == len(set(claimed)) == DUE
        assert Counter(started) == Counter(claimed)
    assert not Lease.objects.exists()
    for job in jobs:
        covered = Run.objects.filter(job=job).order_by("token").values_list("token", "scheduled_for", "covered_until")
        expected = CronSim("* * * * *", beginning)
        for token, first, until in covered:
            assert first == until == next(expected)
            assert token == Run.objects.filter(job=job, scheduled_for__lte=first).count()
        assert len(covered) == ROUNDS
    refused = RunEvent.objects.filter(kind="REFUSED_DELIVERY").count()
    assert Run.objects.filter(status=Status.SUCCEEDED).count() == DUE * ROUNDS
    assert refused <= DUE * ROUNDS * (TICKS - 1)


def test_concurrent_cron_processes_run_each_due_job_once(subprocess_env: dict[str, str], tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    moment = dt.datetime.now(dt.UTC) - MINUTE
    jobs = [
        a_booked_job(
            since=moment - MINUTE,
            frequency="ONCE",
            cron="",
            run_at=moment,
            command="witness",
            args=f"{witness} job{number} --seconds 0.2",
        )
        for number in range(12)
    ]
    crons = [ManagementCommand("cron", env=subprocess_env, directory=tmp_path) for _each in range(4)]
    for cron in crons:
        cron.start()
    try:
        for cron in crons:
            assert cron.wait() == 0, cron.log
    finally:
        for cron in crons:
            cron.stop()
    wait_until(lambda: not Lease.objects.exists())
    assert len(witnessing.begun(witness)) == len(witnessing.ended(witness)) == len(jobs)
    assert witnessing.overlaps(witness) == []
    assert set(Run.objects.values_list("job", "status")) == {(job.pk, Status.SUCCEEDED) for job in jobs}


def test_one_run_for_each_catches_up_in_order_and_one_at_a_time(tickers: list[subprocess.Popen[str]]) -> None:
    """An hour without ticks, of a job that runs every ten minutes."""
    end = dt.datetime.now(dt.UTC).replace(minute=0, second=30, microsecond=0)
    job = a_booked_job(
        since=end - dt.timedelta(hours=1), cron="*/10 * * * *", catch_up=CatchUp.EACH, misfire_grace_seconds=86_400
    )
    claimed: list[str] = []
    while new := one_round(tickers[:4], end)[0]:
        claimed += new
    assert len(claimed) == len(set(claimed)) == 6
    runs = Run.objects.filter(job=job).order_by("token")
    first = end - dt.timedelta(minutes=50, seconds=30)
    assert [(run.scheduled_for, run.covered_until) for run in runs] == [
        (first + n * 10 * MINUTE, first + n * 10 * MINUTE) for n in range(6)
    ]
    for before, after in itertools.pairwise(runs):
        assert before.finished_at is not None and before.finished_at <= after.claimed_at

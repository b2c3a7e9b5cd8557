"""celery beat --scheduler chroniker_celery.beat:Scheduler."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

import pytest
import redis
from django.db import OperationalError

from chroniker.clock.database_clock import database_now
from chroniker.models import Host, Job, Run, Status
from chroniker.models import Ticker as TickerRow
from chroniker.process import alive_file
from chroniker.schedule import Frequency
from chroniker.scheduler.loop import TickLoop
from chroniker_celery import beat_entries
from chroniker_celery.beat import MAX_SECONDS_BETWEEN_TICKS, MIN_WAIT_SECONDS, Scheduler
from tests.celeryapp import app
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
        for beat in (first, second):
            beat.popen.terminate()  # type: ignore[union-attr]
            assert beat.wait() == 0
            assert "Traceback" not in beat.log


def test_a_beat_that_shuts_down_records_its_end_and_the_next_pass_empties_it(
    redis_env: dict[str, str], tmp_path: Path
) -> None:
    env = with_settings(redis_env, CHRONIKER_EXECUTORS=DUMMY, CHRONIKER_HOSTNAME="pod-1")
    for _again in range(2):
        with CeleryBeat(env, tmp_path) as beat:
            wait_until(TickerRow.objects.filter(ended_at=None).exists, what="the first pass")
            beat.popen.terminate()  # type: ignore[union-attr]
            assert beat.wait() == 0
        row = TickerRow.objects.get()
        assert (row.host, row.kind) == ("pod-1", "beat") and row.ended_at is not None, beat.log


def test_the_end_of_a_beat_is_recorded_after_the_pass_that_a_signal_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler(app, lazy=True)
    scheduler.tick()
    scheduler._next_tick = 0.0

    def interrupted(ticker: TickLoop) -> float:
        scheduler.close()  # by Celery's handler of the signal
        assert TickerRow.objects.get().ended_at is None, "the database may be in the middle of a statement"
        raise SystemExit

    monkeypatch.setattr(TickLoop, "tick_and_record_pass", interrupted)
    with pytest.raises(SystemExit):
        scheduler.tick()
    scheduler.close()  # by the end of Celery's loop
    assert TickerRow.objects.get().ended_at is not None


def test_a_second_signal_while_the_end_is_recorded_starts_no_other_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, recordings = Scheduler(app, lazy=True), []

    def interrupted(ticker: TickLoop) -> None:
        recordings.append(ticker)
        assert len(recordings) == 1, "the database may be in the middle of a statement"
        scheduler.close()  # by Celery's handler of the second signal
        raise SystemExit

    scheduler.tick()
    monkeypatch.setattr(TickLoop, "close", interrupted)
    with pytest.raises(SystemExit):
        scheduler.close()
    scheduler.close()  # by the end of Celery's loop
    assert len(recordings) == 1


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


SENT_TWICE = ", and each beat like it sends every entry of beat_schedule"


@pytest.mark.parametrize(
    ("entries", "consequence"), [({}, ""), ({"report": {"task": "shop.report", "schedule": 3600}}, SENT_TWICE)]
)
def test_a_beat_of_another_scheduler_logs_at_its_start_that_it_ticks_no_jobs(
    redis_env: dict[str, str], tmp_path: Path, entries: dict[str, object], consequence: str
) -> None:
    env = with_settings(redis_env, CELERY_BEAT_SCHEDULE=entries)
    warning = f"This beat ticks no jobs{consequence}: its scheduler is "
    with CeleryBeat(env, tmp_path, scheduler="celery.beat:PersistentScheduler") as beat:
        wait_until(lambda: f"{warning}PersistentScheduler." in beat.log, what="logged")
    with CeleryBeat(env, tmp_path) as beat:
        assert warning not in beat.log


class Steps:
    """In place of a tick: each step returns the next of these seconds, or raises the next of these errors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *results: float | Exception) -> None:
        self._results = iter(results)
        self.taken = 0
        monkeypatch.setattr(TickLoop, "tick_and_record_pass", self)

    def __call__(self) -> float:
        self.taken += 1
        result = next(self._results)
        if isinstance(result, Exception):
            raise result
        return result


def test_beat_sleeps_until_the_next_tick_and_no_longer_than_the_period(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, steps = Scheduler(app, lazy=True), Steps(monkeypatch, 3.0, 0.0)
    assert 0 < scheduler.tick() <= 3.0
    assert 0 < scheduler.tick() <= 3.0
    assert steps.taken == 1, "no tick before its time"
    scheduler._next_tick = 0.0
    assert scheduler.tick() <= MIN_WAIT_SECONDS
    assert steps.taken == 2
    assert Scheduler(app, lazy=True, max_interval=3600).max_interval == MAX_SECONDS_BETWEEN_TICKS


@pytest.mark.django_db
def test_beat_says_at_its_start_what_it_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    a_job(name="nightly", enabled=False)
    versions, database, jobs, ticks = Scheduler(app, lazy=True).info.splitlines()
    assert versions.startswith("    . versions -> chroniker ")
    assert database.startswith("    . database -> ") and "default (" in database
    assert jobs == "    . jobs -> none is enabled"
    assert ticks.endswith("when a job is due, and every 0.8 s")


def test_beat_tries_each_second_while_the_database_is_down_and_logs_begin_and_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler, down = Scheduler(app, lazy=True), OperationalError("the server is gone")
    steps = Steps(monkeypatch, down, down, 3.0, 3.0)
    with caplog.at_level("WARNING", logger="chroniker_celery.beat"):
        for longest in (1.0, 1.0, 3.0, 3.0):
            scheduler._next_tick = 0.0
            assert scheduler.tick() <= longest
    assert steps.taken == 4
    begin, end = (record.getMessage() for record in caplog.records)
    assert "cannot be used" in begin and "the server is gone" in begin
    assert "can be used again" in end


def test_beat_is_alive_for_probes_while_the_database_is_down(
    monkeypatch: pytest.MonkeyPatch, settings: object, tmp_path: Path
) -> None:
    clock = itertools.count(1000, 10)
    monkeypatch.setattr(settings, "CHRONIKER_RUNTIME_DIR", str(tmp_path), raising=False)
    monkeypatch.setattr(alive_file, "boot_clock", lambda: float(next(clock)))

    def fails(*_: object) -> None:
        raise OperationalError("the server is gone")

    monkeypatch.setattr(beat_entries, "read_or_create_entry_rows", fails)
    scheduler = Scheduler(app, lazy=True)
    Steps(monkeypatch, *[OperationalError("the server is gone")] * 3)
    for _each in range(3):
        scheduler._next_tick = 0.0
        assert scheduler.tick() <= 1.0
        assert list(alive_file.seconds_since_last_loop(tmp_path, "beat").values()) == [10.0], "it has just been written"
    scheduler.close()
    assert alive_file.seconds_since_last_loop(tmp_path, "beat") == {}


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

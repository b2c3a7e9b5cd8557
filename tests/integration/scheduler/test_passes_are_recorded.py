"""The last pass of each process that ticks, and the passes of each minute, are recorded in bounded rows."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker import __version__
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.models import FleetWork, Host, HostService, Run, Ticker, TickMinute
from chroniker.scheduler import fleet_work, loop
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick_record import TickRecorder, record_single_pass
from tests.support.factories import a_booked_job, a_job

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)
SECOND, DAY = dt.timedelta(seconds=1), dt.timedelta(days=1)


def test_a_pass_writes_the_row_of_its_process_at_most_every_ten_seconds() -> None:
    record = TickRecorder("beat", 5)
    record.record_pass(NOON, 0.5, 3)
    row = Ticker.objects.get()
    assert (row.host, row.kind, row.version, row.period) == (settings.hostname, "beat", __version__, 5)
    assert (row.last_at, row.pass_seconds) == (NOON, 0.5)
    with CaptureQueriesContext(connection) as statements:
        record.record_pass(NOON + SECOND, 0.5, 0)
    assert not statements.captured_queries
    record._written_at -= 11
    with CaptureQueriesContext(connection) as statements:
        record.record_pass(NOON + 2 * SECOND, 0.25, 0)
    assert len(statements) == 1
    assert Ticker.objects.get().last_at == NOON + 2 * SECOND


def test_a_minute_is_written_when_it_is_over_with_one_statement() -> None:
    record = TickRecorder("beat", 5)
    record.record_pass(NOON, 0.5, 3)
    record.record_pass(NOON + 5 * SECOND, 1.5, 2)
    assert not TickMinute.objects.exists()
    record._written_at -= 11
    with CaptureQueriesContext(connection) as statements:
        record.record_pass(NOON + 61 * SECOND, 0.25, 0)
    assert len(statements) == 1, "the row of the ticker waits for the next pass"
    row = TickMinute.objects.get()
    assert (row.minute, row.passes, row.claimed, row.longest_pass) == (NOON, 2, 5, 1.5)


def test_two_processes_of_a_host_share_the_row_of_a_minute() -> None:
    for kind, seconds in (("beat", 2.0), ("cronserver", 1.0)):
        record = TickRecorder(kind, 5)
        record.record_pass(NOON, seconds, 1)
        record.close()
    row = TickMinute.objects.get()
    assert (row.passes, row.claimed, row.longest_pass) == (2, 2, 2.0)
    assert Ticker.objects.count() == 2


def test_a_loop_records_its_passes_under_its_name() -> None:
    loop.TickLoop(5, lambda result: None, kind="beat").tick_and_record_pass()
    loop.TickLoop(5, lambda result: None).tick_and_record_pass()
    assert list(Ticker.objects.values_list("kind", flat=True)) == ["beat"]


@pytest.mark.parametrize(("gap", "period"), [(60, 60), (300, 300), (86_400, 600), (3, 60)])
def test_the_period_of_a_crontab_is_concluded_within_limits(gap: int, period: int) -> None:
    record_single_pass("cron", NOON, 0.1, 0)
    record_single_pass("cron", NOON + gap * SECOND, 0.1, 0)
    assert Ticker.objects.get().period == period
    assert TickMinute.objects.order_by("-longest_gap")[0].longest_gap == gap


def test_cron_for_some_jobs_and_cron_in_a_terminal_record_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    call_command("cron", jobs=[a_job(cron="0 0 1 1 *").name], verbosity=0)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    call_command("cron", verbosity=0)
    assert not Ticker.objects.exists()
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    call_command("cron", verbosity=0)
    assert Ticker.objects.get().kind == "cron"


def test_old_records_are_deleted_except_the_newest_ticker() -> None:
    now = database_now()
    host = Host.objects.create(name="old", last_seen=now - 31 * DAY)
    for days in (0.5, 1.5):
        TickMinute.objects.create(host="h", minute=now - days * DAY)
        HostService.objects.create(host=host, executor="default", worker=f"w{days}", last_seen=now - days * DAY)
    for kind, days in (("beat", 5), ("cronserver", 3)):
        values = {"version": "2", "pid": 1, "period": 5, "pass_seconds": 0}
        Ticker.objects.create(host="h", kind=kind, last_at=now - days * DAY, **values)
    fleet_work.delete_old_records(now)
    assert TickMinute.objects.count() == HostService.objects.count() == 1
    assert Ticker.objects.get().kind == "cronserver", "nothing ticks since then, and the pages say so"
    assert Host.objects.exists(), "a worker was seen on it"
    HostService.objects.all().delete()
    fleet_work.delete_old_records(now)
    assert not Host.objects.exists()


def test_tickers_that_have_shut_down_are_deleted_except_the_newest() -> None:
    now = database_now()
    values = {"version": "2", "pid": 1, "period": 5, "pass_seconds": 0, "kind": "beat"}
    for number in range(3):
        moment = now - number * SECOND
        Ticker.objects.create(host=f"pod-{number}", last_at=moment, ended_at=moment, **values)
    Ticker.objects.create(host="killed", last_at=now - 5 * SECOND, **values)
    fleet_work.delete_old_records(now)
    assert set(Ticker.objects.values_list("host", flat=True)) == {"pod-0", "killed"}


def test_only_one_tick_of_the_fleet_does_the_work_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[dt.datetime] = []
    work = fleet_work.PeriodicWork(dt.timedelta(seconds=10), done.append)
    monkeypatch.setattr(fleet_work, "PERIODIC_WORK_BY_NAME", {"a test": work})
    now = database_now()
    for _each in range(3):  # each has found that it is due
        fleet_work.do_due_periodic_work(["a test"], now)
    assert len(done) == 1
    FleetWork.objects.update(due_at=now + DAY)
    fleet_work.do_due_periodic_work(["a test"], now)
    assert len(done) == 2, "a due time farther away than a period was written before a jump of the clock"


@pytest.mark.parametrize(("days", "left"), [(6, True), (8, False)])
def test_a_host_without_heartbeats_is_forgotten_after_days(days: int, left: bool) -> None:
    now = database_now()
    Host.objects.create(name="pod-1", last_seen=now - days * DAY)
    fleet_work.delete_old_records(now)
    assert Host.objects.exists() is left


def test_a_host_that_an_enabled_job_or_an_open_run_names_is_not_forgotten() -> None:
    now, never = database_now(), "0 0 1 1 *"
    for name in ("named", "off", "awaited", "unnamed"):
        Host.objects.create(name=name, last_seen=now - 100 * DAY)
    a_booked_job(hostname="named", cron=never), a_booked_job(hostname="off", cron=never, enabled=False)
    run = run_now(a_booked_job(cron=never), requested_by="a test")
    Run.objects.filter(pk=run.pk).update(required_host="awaited")
    fleet_work.delete_old_records(now)
    assert set(Host.objects.values_list("name", flat=True)) == {"named", "awaited"}

"""Which hosts are live for which executor, and on which hosts starts are suspended."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from django.test import override_settings

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.clock.jump_detection import ClockReading
from chroniker.conf import settings
from chroniker.eligibility import hosts
from chroniker.models import EVERY_HOST, Host, HostService
from chroniker.reasons import Code, Reason
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)
JUMPED = Reason.of(Code.CLOCK_BACK, seconds=90)


def test_the_live_hosts_of_each_executor_are_named_once_in_the_order_of_their_names() -> None:
    for name in ("web2", "web1"):
        hosts.record_heartbeat([hosts.WorkerReport("default", f"{n}@{name}") for n in range(2)], host_name=name)
    hosts.record_heartbeat(["other"], host_name="web3")
    hosts.record_heartbeat(["default"], host_name="gone")
    HostService.objects.filter(host__name="gone").update(last_seen=database_now() - 60 * MINUTE)
    found = {alias: [host.name for host in live] for alias, live in hosts.live_hosts_by_executor(["default"]).items()}
    assert found == {"default": ["web1", "web2"]}
    assert hosts.live_hosts_by_executor([]) == {}


def test_a_job_whose_host_is_not_live_for_its_executor_gets_a_message() -> None:
    hosts.record_heartbeat(["default"], host_name="web1")
    hosts.record_heartbeat(["other"], host_name="web2")
    lost = a_job(hostname="web2")
    missing = a_job(hostname=EVERY_HOST, executor="third")
    fine = [a_job(), a_job(hostname="web1"), a_job(hostname=EVERY_HOST), a_job(hostname="web2", executor="other")]
    seconds = f"{settings.host_timeout.total_seconds():g}"
    assert hosts.no_live_host_messages([lost, missing, *fine]) == {
        lost.pk: f"Its host “web2” is not live: in the last {seconds} s it did not report that it serves “default”.",
        missing.pk: f"No live host: in the last {seconds} s none reported that it serves the executor “third”.",
    }
    assert hosts.no_live_host_messages(fine) == {}


def test_the_shutdown_of_a_worker_ends_no_other_worker_of_its_host() -> None:
    ended = hosts.WorkerReport("default", "w", busy=2)
    others = [hosts.WorkerReport("other", "w", busy=2), hosts.WorkerReport("default", "second", busy=2)]
    hosts.record_heartbeat([ended, *others])
    hosts.record_worker_shutdowns([ended])
    rows = HostService.objects.order_by("executor", "worker")
    assert [(row.executor, row.worker, row.busy, row.ended_at is not None) for row in rows] == [
        ("default", "second", 2, False),
        ("default", "w", 0, True),
        ("other", "w", 2, False),
    ]


def test_a_heartbeat_replaces_what_a_worker_reported_before() -> None:
    hosts.record_heartbeat([hosts.WorkerReport("default", "w", ["fast"], 4, 2)])
    hosts.record_heartbeat([hosts.WorkerReport("default", "w", ["slow"], 3, 0), "other"])
    rows = HostService.objects.order_by("executor")
    assert [(row.executor, row.worker, row.queues, row.slots, row.busy) for row in rows] == [
        ("default", "w", ["slow"], 3, 0),
        ("other", "", [], None, None),
    ]
    assert Host.objects.get().name == settings.hostname


def test_a_suspension_is_recorded_for_its_own_host_until_its_end() -> None:
    now = database_now()
    for name in ("", "web1", "web2"):
        hosts.record_heartbeat(host_name=name)
    reading = ClockReading(now, 1.23456, JUMPED, suspension_seconds_left=90.0)
    hosts.record_suspension_of_starts(reading, host_name="web1")
    row = Host.objects.get(name="web1")
    assert (row.clock_skew_seconds, row.suspended_until) == (1.235, now + 90 * dt.timedelta(seconds=1))
    assert hosts.suspension_reason(row) == JUMPED
    assert [host.name for host in Host.objects.exclude(suspended_until=None)] == ["web1"]
    hosts.record_suspension_of_starts(reading)
    named = Host.objects.exclude(suspended_until=None).values_list("name", flat=True)
    assert set(named) == {settings.hostname, "web1"}
    hosts.record_suspension_of_starts(ClockReading(now, 0.5), host_name="web1")
    row.refresh_from_db()
    assert (row.clock_skew_seconds, row.suspended_until, row.suspended_because) == (0.5, None, "")


def test_only_hosts_whose_suspension_has_not_passed_are_named_in_the_order_of_their_names() -> None:
    now = database_now()
    for name, minutes in (("web3", 5), ("web1", 5), ("web2", -1)):
        hosts.record_heartbeat(host_name=name)
        hosts.record_suspension_of_starts(
            ClockReading(now, 0.0, JUMPED, suspension_seconds_left=60.0 * minutes), host_name=name
        )
    first, second = hosts.suspension_messages()
    assert first.startswith(f"{JUMPED} Until ")
    assert "“web3”" in second


def test_a_clock_skew_is_recorded_for_this_host_and_a_large_one_gets_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(CHRONIKER_RUNTIME_DIR=tmp_path / "run", CHRONIKER_HOSTNAME="here"):
        now = jump_detection.read_clock().now
        for name in ("here", "web1"):
            hosts.record_heartbeat(host_name=name)
        Host.objects.update(clock_skew_seconds=0)
        for skew in (7.12345, 7.2, 2.0, -3.0):
            hosts.record_clock_skew(ClockReading(now, skew))
            if skew == 7.2:
                assert dict(Host.objects.values_list("name", "clock_skew_seconds")) == {"here": 7.123, "web1": 0}
    assert caplog.messages == [
        f"This host's clock differs from the database's clock by {skew} s." for skew in ("+7.1", "-3.0")
    ]
    assert Host.objects.get(name="here").clock_skew_seconds == -3

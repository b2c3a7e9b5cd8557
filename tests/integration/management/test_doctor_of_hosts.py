"""``manage.py doctor`` about hosts, ticks and workers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import override_settings

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import draining
from chroniker.executors.dummy import DummyExecutor
from chroniker.management.diagnosis import FindingLevel
from chroniker.models import Host, HostService, Run, Ticker
from chroniker.scheduler import manual_runs
from tests.integration.management.doctor_findings import doctor, findings
from tests.support.command_jobs import DUMMY, a_job_of_new_year
from tests.support.factories import a_booked_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("healthy")]


def test_no_live_host_is_an_error() -> None:
    Host.objects.update(last_seen=database_now() - dt.timedelta(hours=1))
    [(about, text)] = findings(FindingLevel.ERROR)
    assert about == "hosts" and "The last one was “here”" in text
    Host.objects.all().delete()
    assert findings(FindingLevel.ERROR)[0][0] == "hosts"


def test_a_silent_host_beside_live_ones_and_a_wrong_clock_are_warnings() -> None:
    Host.objects.create(name="there", last_seen=database_now() - dt.timedelta(hours=1))
    Host.objects.create(name="fast", last_seen=database_now(), clock_skew_seconds=-90)
    Host.objects.create(name="gone", last_seen=database_now() - dt.timedelta(days=9))
    silent, wrong = findings(FindingLevel.WARNING)
    assert "“there” has been silent since" in silent[1]
    assert "“fast” differs from the database's clock by -90.0 s." in wrong[1]


def test_a_host_whose_workers_all_shut_down_in_order_is_not_missed() -> None:
    now = database_now()
    seen = now - dt.timedelta(hours=1)
    for name, ends in (("pod-1", [now, now]), ("pod-2", [now, None])):
        host = Host.objects.create(name=name, last_seen=seen)
        for number, ended_at in enumerate(ends):
            worker = {"executor": "default", "worker": f"{number}@{name}"}
            HostService.objects.create(host=host, last_seen=seen, ended_at=ended_at, **worker)
    [(about, text)] = findings(FindingLevel.WARNING)
    assert about == "hosts" and text.startswith("“pod-2” has been silent since ")


def test_a_host_that_only_ticked_and_whose_processes_all_shut_down_is_not_missed() -> None:
    now = database_now()
    seen = now - dt.timedelta(hours=1)
    values = {"version": "2", "pid": 1, "period": 5, "pass_seconds": 0, "last_at": seen}
    for name, ends in (("beat-1", {"beat": now}), ("beat-2", {"beat": now, "cronserver": None})):
        Host.objects.create(name=name, last_seen=seen)
        for kind, ended_at in ends.items():
            Ticker.objects.create(host=name, kind=kind, ended_at=ended_at, **values)
    [text] = [text for about, text in findings(FindingLevel.WARNING) if about == "hosts"]
    assert text.startswith("“beat-2” has been silent since ")


def test_a_suspended_host_is_named_with_the_reason() -> None:
    soon = database_now() + dt.timedelta(minutes=1)
    Host.objects.create(
        name="late", last_seen=database_now(), suspended_until=soon, suspended_because="The clock jumped."
    )
    [(about, text)] = findings(FindingLevel.WARNING)
    assert about == "hosts" and "The clock jumped. Until " in text
    assert "the host “late” starts no runs and expires no leases." in text


def test_each_used_executor_checks_the_queues_of_its_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    queues_of_alias = {}

    def diagnose(self: DummyExecutor, queues: set[str]) -> list[Any]:
        queues_of_alias[self.alias] = queues
        return []

    monkeypatch.setattr(DummyExecutor, "diagnose", diagnose)
    a_job_of_new_year(queue="slow"), a_job_of_new_year(queue="fast"), a_job_of_new_year(queue="off", enabled=False)
    a_job_of_new_year(executor="other")
    with override_settings(CHRONIKER_EXECUTORS={**DUMMY, "other": DUMMY["default"], "unused": DUMMY["default"]}):
        assert doctor()[0] == 0
    assert queues_of_alias == {"default": {"slow", "fast"}, "other": {""}}


@pytest.mark.parametrize(("seconds", "level"), [(22, FindingLevel.WARNING), (3600, FindingLevel.ERROR)])
def test_a_tick_that_is_late_is_reported(seconds: int, level: FindingLevel) -> None:
    Ticker.objects.update(last_at=database_now() - dt.timedelta(seconds=seconds))
    [(about, text)] = findings(level)
    assert about == "health" and "beat on here" in text


def test_a_drain_is_one_finding() -> None:
    with override_settings(CHRONIKER_HOSTNAME="here"):
        draining.record_drain_of_this_host("ann")
        [(about, text)] = findings(FindingLevel.WARNING)
    assert about == "hosts" and "has been draining since" in text


def test_a_queue_without_a_worker_is_an_error() -> None:
    run = manual_runs.run_now(a_booked_job(cron="0 0 1 1 *"), requested_by="a test")
    Run.objects.filter(pk=run.pk).update(claimed_at=database_now() - dt.timedelta(minutes=3), queue="slow")
    [(about, text)] = findings(FindingLevel.ERROR)
    start = "No worker consumes the queue “slow”, in which 1 run has been waiting since "
    assert about == "health" and text.startswith(start)

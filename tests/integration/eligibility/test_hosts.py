"""Jobs for one host and for every host, with real processes that use different host names on one database."""

from __future__ import annotations

import datetime as dt
import html
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.test import Client, override_settings

from chroniker import __version__
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import draining, explanations, hosts
from chroniker.models import HostService, Job, Lease, Run, Status, Ticker
from chroniker.schedule import Frequency
from chroniker.scheduler.manual_runs import run_now
from tests.support.command_jobs import a_job_due_once, a_job_of_new_year, the_run
from tests.support.factories import a_booked_job, a_dependency, state_of
from tests.support.manage import Manage
from tests.support.processes import wait_until

JOBS = "/admin/chroniker/job/"

pytestmark = pytest.mark.django_db(transaction=True)


def at(manage: Manage, host: str) -> Manage:
    """``manage.py`` on that host, with its own lock files."""
    runtime = manage.directory / f"runtime-{host}"
    return manage.having(CHRONIKER_HOSTNAME=host, CHRONIKER_CHECK_LOCK_FILE=False, CHRONIKER_RUNTIME_DIR=str(runtime))


def hosts_of(jobs: list[Job]) -> list[str]:
    return [the_run(job).host for job in jobs]


def all_succeeded(jobs: list[Job]) -> bool:
    return Run.objects.filter(job__in=jobs, status=Status.SUCCEEDED).count() == len(jobs)


def test_a_job_with_a_required_host_runs_only_on_that_host(manage: Manage) -> None:
    """Both servers wake at the same time, and either may claim. The next tick is an hour later."""
    run_at = database_now() + dt.timedelta(seconds=8)
    names = ["one", "two"] * 3
    jobs = [a_booked_job(frequency=Frequency.ONCE, cron="", run_at=run_at, hostname=name) for name in names]
    with at(manage, "one").process("cronserver", "3600"), at(manage, "two").process("cronserver", "3600"):
        wait_until(lambda: all_succeeded(jobs), what="all to be run")
    assert hosts_of(jobs) == names


def test_cron_leaves_runs_of_another_host_to_that_host_and_does_not_wait(manage: Manage) -> None:
    elsewhere, here = a_job_due_once(hostname="one"), a_job_due_once(hostname="two")
    assert at(manage, "two")("cron").returncode == 0
    waiting = the_run(elsewhere)
    assert (waiting.status, the_run(here).status) == (Status.CLAIMED, Status.SUCCEEDED)
    assert "“one”" in waiting.reason
    assert at(manage, "one")("cron").returncode == 0
    assert all_succeeded([elsewhere, here])
    assert hosts_of([elsewhere, here]) == ["one", "two"]


def test_run_job_on_the_wrong_host_names_the_required_host(manage: Manage) -> None:
    job = a_job_of_new_year(hostname="one", name="backup")
    done = at(manage, "two")("run_job", "backup")
    assert done.returncode == 1
    assert "It waits for the host “one” to take it." in done.stderr
    assert the_run(job).status == Status.CLAIMED


def test_a_job_for_every_host_runs_on_each_and_ends_when_all_have_reported(manage: Manage, tmp_path: Path) -> None:
    """Its command succeeds only if it runs at the same time as that on the other host."""
    job = a_job_of_new_year(hostname="*", command="meet", args=f"{tmp_path / 'witness'} 2")
    dependent = a_job_of_new_year()
    a_dependency(dependent, job, wait_for_success=True)
    with at(manage, "one").process("cronserver", "0.5"), at(manage, "two").process("cronserver", "0.5"):
        wait_until(lambda: HostService.objects.count() == 2, what="both to be live")
        Job.objects.filter(pk__in=[job.pk, dependent.pk]).update(force_run=True)
        wait_until(lambda: all_succeeded([dependent]), what="the dependent to be run")
    parent = Run.objects.get(job=job, parent=None)
    assert parent.status == Status.SUCCEEDED
    assert sorted(parent.children.values_list("host", "required_host", "status")) == [
        (name, name, Status.SUCCEEDED) for name in ("one", "two")
    ]
    after = the_run(dependent)
    assert parent.finished_at is not None and after.claimed_at >= parent.finished_at


def test_a_host_that_does_not_report_is_named(manage: Manage) -> None:
    job = a_job_of_new_year(hostname="*")
    hosts.record_heartbeat(["default"], host_name="gone")
    with at(manage, "one").process("cronserver", "0.5"):
        wait_until(lambda: HostService.objects.count() == 2, what="to be live")
        Job.objects.filter(pk=job.pk).update(force_run=True)
        wait_until(lambda: Run.objects.filter(job=job, required_host="one", status=Status.SUCCEEDED).exists())
        assert Run.objects.get(job=job, parent=None).status == Status.RUNNING
        HostService.objects.filter(host__name="gone").update(last_seen=database_now() - dt.timedelta(hours=1))
        wait_until(lambda: not Lease.objects.filter(job=job).exists(), what="the roster to be closed")
    parent = Run.objects.get(job=job, parent=None)
    assert parent.status == Status.FAILED
    assert "It succeeded on 1 of 2 hosts" in parent.reason and "gone: lost" in parent.reason


def test_run_job_waits_for_every_host_with_the_option_wait(manage: Manage) -> None:
    a_job_of_new_year(hostname="*", name="everywhere")
    with at(manage, "one").process("cronserver", "0.5"):
        wait_until(HostService.objects.exists, what="to be live")
        done = at(manage, "two")("run_job", "everywhere", "--wait")
    assert done.returncode == 0, done.stderr
    assert "succeeded" in done.stdout


def test_a_required_host_that_is_not_live_is_reported_by_the_list_and_a_check(admin: Client) -> None:
    a_job_of_new_year(hostname="web9", name="backup")
    assert "Its host “web9” is not live" in html.unescape(admin.get(JOBS).content.decode())
    [message] = [each for each in run_checks(tags=["chroniker"], databases=["default"]) if "web9" in each.msg]
    assert "“backup”" in message.msg
    hosts.record_heartbeat(["default"], host_name="web9")
    assert "not live" not in admin.get(JOBS).content.decode()
    assert not [each for each in run_checks(tags=["chroniker"], databases=["default"]) if "web9" in each.msg]


def test_a_heartbeat_records_what_the_worker_reports_and_its_end() -> None:
    report = hosts.WorkerReport("default", "celery@here", ["fast", "slow"], 4, 2, database_now())
    hosts.record_heartbeat([report])
    hosts.record_heartbeat([hosts.WorkerReport("default", "second@here", slots=1)])
    row = HostService.objects.get(worker="celery@here")
    assert (row.queues, row.slots, row.busy, row.version) == (["fast", "slow"], 4, 2, __version__)
    assert row.started_at == report.started_at
    assert [host.name for host in hosts.live_hosts_by_executor(["default"])["default"]] == [settings.hostname]
    hosts.record_worker_shutdowns([report])
    row.refresh_from_db()
    assert row.ended_at is not None
    assert row.busy == 0
    assert hosts.live_hosts_by_executor(["default"]), "runs that wait for this host survive the restart of its worker"
    hosts.record_heartbeat([report])
    row.refresh_from_db()
    assert row.ended_at is None


def test_a_worker_of_the_same_name_on_another_host_is_not_recorded_as_ended() -> None:
    report = hosts.WorkerReport("default", "cronserver", slots=4, busy=2)
    hosts.record_heartbeat([report])
    hosts.record_heartbeat([report], host_name="another")
    hosts.record_worker_shutdowns([report])
    ended = HostService.objects.exclude(ended_at=None)
    assert [service.host.name for service in ended] == [settings.hostname]
    assert HostService.objects.get(host__name="another").busy == 2


@pytest.mark.usefixtures("dummy")
@pytest.mark.parametrize(
    ("worker_seen", "seconds", "expected"), [(True, 10, True), (True, 90, True), (False, 50, False), (False, 70, True)]
)
def test_a_queue_is_named_that_no_worker_consumes(worker_seen: bool, seconds: int, expected: bool) -> None:
    """At once if some worker of the executor sends heartbeats: then one for this queue would, too."""
    job, now = a_job_of_new_year(), database_now()
    run = run_now(job, requested_by="a test")
    Run.objects.filter(pk=run.pk).update(queue="slow", claimed_at=now - dt.timedelta(seconds=seconds))
    if worker_seen:
        hosts.record_heartbeat([hosts.WorkerReport("default", "w", ["fast"])])
    text = explanations.explanation_texts([state_of(job)], now)[job.pk]
    assert ("No worker consumes the queue “slow”." in text) == expected


@pytest.mark.usefixtures("dummy")
def test_a_drain_names_the_workers_of_this_host_that_run() -> None:
    """They are notified to consume nothing more, and at its end to consume their queues again."""
    workers = [hosts.WorkerReport("default", name, ["fast"]) for name in ("stays", "ends meanwhile", "has ended")]
    hosts.record_heartbeat([*workers, "default"])  # the last one is a process without a name
    hosts.record_heartbeat([hosts.WorkerReport("default", "of another", ["fast"])], host_name="another")
    hosts.record_worker_shutdowns(workers[2:])
    named = draining.record_drain_of_this_host("a test")
    assert sorted(named) == [("default", "ends meanwhile", ["fast"]), ("default", "stays", ["fast"])]
    hosts.record_worker_shutdowns(workers[1:2])
    with override_settings(CHRONIKER_HOSTNAME="another"):
        assert draining.record_end_of_drain_of_this_host() is None
    assert draining.record_end_of_drain_of_this_host() == [("default", "stays", ["fast"])]


def test_cronserver_reports_its_slots_its_passes_and_its_end(manage: Manage) -> None:
    with at(manage, "one").process("cronserver", "0.5"):
        wait_until(HostService.objects.exists, what="its heartbeat")
        row = HostService.objects.get()
        assert (row.worker, row.queues, row.busy, row.ended_at) == ("default@one", [], 0, None)
        assert row.slots
        assert row.started_at is not None
        wait_until(Ticker.objects.exists, what="its first pass")
    wait_until(lambda: HostService.objects.exclude(ended_at=None).exists(), what="its end")
    ticker = Ticker.objects.get()
    assert (ticker.host, ticker.kind, ticker.period) == ("one", "cronserver", 0.5)

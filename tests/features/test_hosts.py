"""Jobs of one host, with real processes that go by different names on one database."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker.clock import database_now
from chroniker.models import Job, Run, Status
from chroniker.schedule import Frequency
from tests.factories import a_booked_job
from tests.integration.commands.conftest import Manage
from tests.integration.commands.jobs import a_job_due_once, a_job_of_new_year, the_run
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def at(manage: Manage, host: str) -> Manage:
    """``manage.py`` on that host: lock files of its own too."""
    runtime = manage.directory / f"runtime-{host}"
    return manage.having(CHRONIKER_HOSTNAME=host, CHRONIKER_CHECK_LOCK_FILE=False, CHRONIKER_RUNTIME_DIR=str(runtime))


def hosts_of(jobs: list[Job]) -> list[str]:
    return [the_run(job).host for job in jobs]


def all_succeeded(jobs: list[Job]) -> bool:
    return Run.objects.filter(job__in=jobs, status=Status.SUCCEEDED).count() == len(jobs)


def test_a_job_that_names_a_host_runs_on_that_host_only(manage: Manage) -> None:
    """Both servers wake at the same instant, and either may claim; with an hour to the next pass, none may dawdle."""
    run_at = database_now() + dt.timedelta(seconds=8)
    names = ["one", "two"] * 3
    jobs = [a_booked_job(frequency=Frequency.ONCE, cron="", run_at=run_at, hostname=name) for name in names]
    with at(manage, "one").process("cronserver", "3600"), at(manage, "two").process("cronserver", "3600"):
        wait_until(lambda: all_succeeded(jobs), what="all to be run", seconds=60)
    assert hosts_of(jobs) == names


def test_a_cron_leaves_another_hosts_run_to_that_hosts_cron_and_does_not_wait_for_it(manage: Manage) -> None:
    elsewhere, here = a_job_due_once(hostname="one"), a_job_due_once(hostname="two")
    assert at(manage, "two")("cron").returncode == 0
    waiting = the_run(elsewhere)
    assert (waiting.status, the_run(here).status) == (Status.CLAIMED, Status.SUCCEEDED)
    assert "“one”" in waiting.reason
    assert at(manage, "one")("cron").returncode == 0
    assert all_succeeded([elsewhere, here])
    assert hosts_of([elsewhere, here]) == ["one", "two"]


def test_run_job_on_the_wrong_host_says_whose_it_is(manage: Manage) -> None:
    job = a_job_of_new_year(hostname="one", name="backup")
    done = at(manage, "two")("run_job", "backup")
    assert done.returncode == 1
    assert "It waits for the host “one” to take it." in done.stderr
    assert the_run(job).status == Status.CLAIMED

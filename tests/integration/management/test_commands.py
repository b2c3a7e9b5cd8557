"""One test for each command for operators."""

from __future__ import annotations

import json
import re
from uuid import UUID

import pytest
from django.core.management import call_command

from chroniker import lifecycle
from chroniker.lifecycle import Outcome
from chroniker.models import Run, Status
from chroniker.scheduler import stopping
from chroniker.scheduler.manual_runs import run_now
from tests.support.command_jobs import a_job_of_new_year, is_running
from tests.support.factories import a_booked_job, a_dependency, started
from tests.support.manage import Manage
from tests.support.processes import wait_until
from tests.support.run_history import ended, with_related_rows

pytestmark = pytest.mark.django_db(transaction=True)


def test_cron_clean_deletes_old_runs_and_keeps_running_ones(manage: Manage) -> None:
    job = a_booked_job(cron="0 0 1 1 *")
    for run in ended(job, 60, 45, 31, 2):
        with_related_rows(run)
    busy = a_job_of_new_year(command="sleep_for", args="600")
    with manage.process("run_job", busy.name):
        wait_until(lambda: is_running(busy))
        Run.objects.filter(job=busy).update(claimed_at=run.claimed_at, started_at=run.started_at)
        assert manage("cron_clean", "days", "1", "--dry-run").stdout.startswith("would delete 3 runs")
        done = manage("cron_clean", "days", "1")
        assert (done.returncode, done.stderr) == (0, "3 of 3 runs (100 %)\n")
        assert done.stdout.startswith("deleted 3 runs that had ended before ")
        assert set(Run.objects.values_list("status", flat=True)) == {Status.SUCCEEDED, Status.RUNNING}


def test_jobs_lists_each_job_with_its_state_as_text_and_json(manage: Manage) -> None:
    job = a_job_of_new_year(name="new year")
    head, line = manage("jobs").stdout.splitlines()
    assert head.startswith("id") and line.split()[:4] == [str(job.pk), "new", "year", "idle"]
    [listed] = map(json.loads, manage("jobs", "--json", "--state", "idle").stdout.splitlines())
    assert (listed["id"], listed["name"], listed["state"]) == (job.pk, "new year", "idle")


def test_stop_job_ends_a_command_that_runs_in_another_process(manage: Manage) -> None:
    job = a_job_of_new_year(name="long", command="sleep_for", args="600")
    with manage.process("run_job", "long") as process:
        wait_until(lambda: is_running(job))
        done = manage("stop_job", "long")
        assert done.returncode == 0 and re.search("; a stop was requested.$| ended as stopped, ", done.stdout), done
        assert process.wait() != 0
    assert Run.objects.get(job=job).status == Status.STOPPED
    done = manage("stop_job", "long")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "“long” is not running.\n")


def test_calculate_job_chain_prints_duration_and_critical_path(manage: Manage) -> None:
    first, last = a_booked_job(name="first"), a_booked_job(name="last")
    for job in (first, last):
        ended(job, 3, 2, 1)
    a_dependency(last, first, wait_for_success=True)
    done = manage("calculate_job_chain", "first")
    assert done.stdout.endswith("Critical path: first → last\nTotal: 2.0 s\n"), done.stderr


NO_RECIPIENTS = "No address, webhook or channel gets a message when nothing ticks, or when a queue has no worker."


def test_doctor_reports_problems_with_advice_and_an_exit_status(manage: Manage) -> None:
    a_job_of_new_year()
    sick = manage("doctor")
    assert sick.returncode == 2 and "ERROR    hosts: No host was seen" in sick.stdout and sick.stderr == ""
    assert "Start celery beat and a worker; or cronserver;" in sick.stdout
    manage("cron")
    well = manage("doctor", "--json")
    findings = [json.loads(line) for line in well.stdout.splitlines()]
    assert [each["text"] for each in findings if each["level"] != "OK"] == [NO_RECIPIENTS]
    assert well.returncode == 1


def test_stop_job_tells_a_run_that_ended_at_once_from_one_that_never_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_now(a_booked_job(name="quick", cron="0 0 1 1 *"), requested_by="ann")
    nonce, stop = started(run), stopping.stop_run

    def stop_and_end(pk: UUID, by: str) -> bool:
        requested = stop(pk, by)
        lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.STOPPED))
        return requested

    monkeypatch.setattr(stopping, "stop_run", stop_and_end)
    call_command("stop_job", "quick")
    assert capsys.readouterr().out.startswith("Run 1 of “quick” ended as stopped, ")

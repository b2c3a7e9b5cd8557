"""``manage.py stop_job``: for queued runs, running runs, and jobs without a run."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from chroniker.eligibility import hosts
from chroniker.models import Run, Status
from chroniker.scheduler import manual_runs
from tests.support.command_jobs import DUMMY, a_job_of_new_year
from tests.support.factories import started

pytestmark = pytest.mark.django_db(transaction=True)


def stop_job(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("stop_job", *words, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def a_claimed_run(name: str) -> Run:
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        return manual_runs.run_now(a_job_of_new_year(name=name), "a test")


def test_a_queued_run_is_cancelled_at_once() -> None:
    run = a_claimed_run("queued")
    assert stop_job("queued") == (0, "Run 1 of “queued” was stopped before it started.\n", "")
    run.refresh_from_db()
    assert run.status == Status.STOPPED and run.stop_requested_by.endswith(" (manage.py stop_job)")


def test_a_running_run_gets_a_stop_request_and_a_second_request_is_reported() -> None:
    run = a_claimed_run("busy")
    started(run, host="worker 7")
    assert stop_job(str(run.job_id)) == (0, "Run 1 of “busy” runs on worker 7; a stop was requested.\n", "")
    status, out, _err = stop_job("--run", str(run.pk))
    assert status == 0 and "has been stopping since " in out and "(manage.py stop_job)" in out
    run.refresh_from_db()
    assert run.status == Status.RUNNING and run.stop_requested_at is not None


def test_a_run_on_every_host_gets_a_stop_request_on_each_host() -> None:
    for name in ("here", "there"):
        hosts.record_heartbeat(["default"], host_name=name)
    job = a_job_of_new_year(name="everywhere", hostname="*")
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        parent = manual_runs.run_now(job, "a test")
    started(Run.objects.filter(parent=parent).order_by("token")[0])
    assert stop_job("everywhere") == (0, "Run 1 of “everywhere” runs on every host; a stop was requested.\n", "")
    assert not Run.objects.filter(job=job, stop_requested_at=None).exists()


def test_jobs_without_a_run_are_reported_and_the_others_are_stopped() -> None:
    a_job_of_new_year(name="idle"), a_claimed_run("queued")
    assert stop_job("idle", "queued") == (
        1, "Run 1 of “queued” was stopped before it started.\n", "“idle” is not running.\n",
    )  # fmt: skip


def test_an_ended_run_is_reported_with_its_result() -> None:
    run = a_claimed_run("over")
    stop_job("over")
    status, out, err = stop_job("--run", str(run.pk))
    assert (status, out) == (1, "") and err.startswith("Run 1 of “over” is not running: it ended as stopped, ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Give NAME-OR-ID of a job"),
        (["--run", "seven"], "“seven” is not the id of a run"),
        (["--run", "0197a8b0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"], "There is no run 0197a8b0"),
        (["bakcup"], "Did you mean “backup”"),
    ],
)
def test_bad_input_is_explained(words: list[str], message: str) -> None:
    a_job_of_new_year(name="backup")
    with pytest.raises(CommandError, match=message):
        stop_job(*words)

"""``manage.py cron_clean``: its output, and how it runs as a job."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chroniker.models import AuditEntry, Run, Status
from chroniker.models.audit import Action
from chroniker.scheduler import retention
from tests.support.command_jobs import a_job_of_new_year, stdout_of, the_run
from tests.support.factories import a_booked_job
from tests.support.manage import Manage
from tests.support.run_history import ended

pytestmark = pytest.mark.django_db(transaction=True)


def cron_clean(*words: str, **options: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("cron_clean", *words, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_a_dry_run_counts_and_deletes_nothing() -> None:
    ended(a_booked_job(), 40, 35, 31, 1)
    out, _err = cron_clean("days", "30", "--dry-run")
    assert out.startswith("would delete 3 runs that ended before ")
    assert Run.objects.count() == 4


@pytest.mark.parametrize(("unit", "kept"), [("minutes", 1), ("hours", 2), ("days", 3), ("weeks", 4)])
def test_each_time_unit_has_its_length(unit: str, kept: int) -> None:
    ended(a_booked_job(), 20, 3, 0.5, 0.05, 0)
    cron_clean(unit, "2")
    assert Run.objects.count() == kept


def test_progress_is_written_to_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "RUNS_PER_SEARCH", 2)
    ended(a_booked_job(), *range(20, 0, -1))
    out, err = cron_clean("days", "0")
    assert err.startswith("2 of 19 runs (10 %)\n")
    assert out.startswith("deleted 19 runs")
    ended(a_booked_job(), 3, 2)
    assert cron_clean("days", "0", verbosity=0) == ("", "")


def test_a_deletion_is_in_the_audit_if_the_deletion_of_results_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_before: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(retention, "forget_deleted_runs_in_executors", interrupted)
    ended(a_booked_job(), 40, 35, 1)
    with pytest.raises(KeyboardInterrupt):
        cron_clean("days", "30")
    assert AuditEntry.objects.get(action=Action.CLEANED).args["n"] == 2


def test_as_a_job_the_command_reports_progress_and_writes_nothing_to_stderr(manage: Manage) -> None:
    ended(a_booked_job(cron="0 0 1 1 *"), 40, 35, 1)
    job = a_job_of_new_year(command="cron_clean", args="days 30", fail_on_stderr=True)
    done = manage("run_job", job.name)
    run = the_run(job)
    assert run.status == Status.SUCCEEDED, done.stderr
    assert stdout_of(run).startswith("deleted 2 runs")
    assert (run.total_parts, run.total_parts_complete) == (2, 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["days", "-3"], "-3 days ago is in the future: give 0 or more"),
        (["weeks", "9" * 9], "before year 1"),
        (["years", "1"], "choose from"),
        (["days", "many"], "invalid int value"),
    ],
)
def test_bad_input_is_explained(words: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        cron_clean(*words)

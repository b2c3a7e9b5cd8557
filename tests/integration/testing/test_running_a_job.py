"""One job, run in the process of a test."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from django.db import transaction

import chroniker
from chroniker.exceptions import ClaimRefused
from chroniker.models import Job, Run, Status
from chroniker.testing import assert_declarations_valid, run_job
from tests.support.declared_app import Shop
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db

COMMAND = """
    import chroniker
    from django.core.management.base import BaseCommand

    class Command(BaseCommand):
        def handle(self, **options):
            run = chroniker.current_run()
            with chroniker.fence():
                print(run.job_name, run.token, run.scheduled_for)
"""


def test_a_success_has_its_output_and_progress() -> None:
    a_job(name="parts", command="progress", args="--parts 8")
    outcome = run_job("parts")
    assert outcome.succeeded and outcome.status == Status.SUCCEEDED and outcome.exit_code == 0
    assert (outcome.stdout, outcome.stderr, outcome.reason) == ("done\n", "", "")
    assert outcome.progress == (8, 8)
    assert outcome.argv == ["progress", "--parts", "8"]
    assert run_job("parts", args="--parts 8 --upto 3").progress == (8, 3)


def test_a_failure_has_its_reason() -> None:
    outcome = run_job(a_job(command="fails", args="--status 3"))
    assert not outcome.succeeded and outcome.exit_code == 3
    assert outcome.reason == "it exited with status 3" and outcome.progress is None
    assert "something broke" in run_job(a_job(command="fails")).stderr


def test_the_command_is_within_a_run(shop: Shop) -> None:
    shop.write("management/commands/report.py", COMMAND)
    job = a_job(name="report", command="report")
    outcome = run_job(job, scheduled_for=dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC))
    assert outcome.stdout == "report 1 2026-01-02 03:00:00+00:00\n", outcome.stderr
    assert chroniker.current_run() is None


def test_a_declared_job_needs_no_row(shop: Shop) -> None:
    shop.command("report", '@chroniker.job(cron="0 3 * * *")')
    shop.jobs('kept = chroniker.job(name="kept", command="noop", cron="0 4 * * *")')
    assert run_job("report").succeeded
    assert {job.name for job in Job.objects.all()} == {"report", "kept"}


def test_a_declaration_is_found_by_itself(shop: Shop) -> None:
    import importlib

    shop.jobs('kept = chroniker.job(name="kept", command="noop", cron="0 4 * * *")')
    assert run_job(importlib.import_module(f"{shop.name}.jobs").kept).run.job.name == "kept"


def test_an_unknown_job_is_an_error_that_names_the_known_ones() -> None:
    a_job(name="known")
    with pytest.raises(LookupError, match=r"no job “unknown”.*known"):
        run_job("unknown")


def test_the_rules_of_a_start_hold() -> None:
    with pytest.raises(ClaimRefused):
        run_job(a_job(enabled=False))


def test_declarations_are_validated(shop: Shop) -> None:
    assert_declarations_valid()
    shop.jobs('bad = chroniker.job(name="bad", command="noop", cron="61 * * * *")')
    with pytest.raises(AssertionError, match="bad"):
        assert_declarations_valid()


def test_with_the_fixture_run_now_executes_the_run(chroniker_inline: None) -> None:
    run = chroniker.run_now(a_job(command="progress"), by="ann")
    assert Run.objects.get(pk=run.pk).status == Status.SUCCEEDED


def test_with_the_fixture_a_run_waits_for_the_end_of_the_transaction(chroniker_inline: None) -> None:
    with transaction.atomic():
        run = chroniker.run_now(a_job(command="progress"), by="ann")
        assert Run.objects.get(pk=run.pk).status == Status.CLAIMED
    assert Run.objects.get(pk=run.pk).status == Status.SUCCEEDED
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        chroniker.run_now(a_job(name="rolled back", command="witness"), by="ann")
        raise ZeroDivisionError
    assert not Run.objects.filter(job__name="rolled back").exists()


SAMPLE = """
    import datetime as dt
    import chroniker
    from chroniker.testing import Scheduler

    def test_a_day(chroniker_scheduler: Scheduler) -> None:
        chroniker_scheduler.advance(days=1)
        assert [run.status for run in chroniker_scheduler.runs("witness")] == ["SUCCEEDED"]

    def test_inline(chroniker_inline: None) -> None:
        from chroniker.models import Job, Run
        run = chroniker.run_now(Job.objects.get(name="witness"), by="ann")
        assert Run.objects.get(pk=run.pk).status == "SUCCEEDED"
"""


def test_the_plugin_works_in_a_project(tmp_path: Path) -> None:
    """Its jobs are in the test database because ``migrate`` writes the declared jobs."""
    import sys
    from textwrap import dedent

    from tests.support import ROOT
    from tests.support.bare_project import EMPTY, BareProject, run

    project = BareProject(tmp_path)
    (project.directory / "test_jobs.py").write_text(dedent(SAMPLE))
    env = {**EMPTY, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "site_.settings"}
    words: list[str | Path] = [sys.executable, "-m", "pytest", "-q", "-p", "chroniker.pytest_plugin", "-p", "no:valkey"]
    printed = run([*words, "-p", "no:cacheprovider", "--import-mode=importlib", "."], env=env, cwd=project.directory)
    assert "2 passed" in printed

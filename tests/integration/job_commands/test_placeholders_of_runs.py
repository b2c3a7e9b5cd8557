"""Placeholders in a run: filled in when it starts, and recorded."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import override_settings

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.executors.database_report import DatabaseReport
from chroniker.importing.candidate import ImportCandidate
from chroniker.importing.saving import save_candidates
from chroniker.lifecycle import Outcome
from chroniker.models import Job, Run, Status
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.command_jobs import INLINE, a_job_of_new_year, stdout_of, the_run
from tests.support.factories import a_due_job, started, state_of

pytestmark = pytest.mark.django_db(transaction=True)

DAY = '{{ scheduled_for|date:"Y-m-d H:i" }}'
ASKED = dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC)


def ran(job: Job, **options: Any) -> Run:
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        run = run_now(job, "a test", **options)
    return Run.objects.get(pk=run.pk)


def test_a_command_gets_the_values_in_its_words_and_variables() -> None:
    job = a_job_of_new_year(
        name="two words --and more",
        command="env_dump",
        args=f"'{DAY}' {DAY} 'a {{{{ job }}}}'",
        environment=f"DAY={DAY}",
        timezone="Europe/Paris",
    )
    run = ran(job, instant=ASKED)
    seen = json.loads(stdout_of(run))
    words = ["2026-03-29 03:00", "2026-03-29 03:00", "a two words --and more"]
    assert (seen["words"], seen["environ"]["DAY"]) == (words, "2026-03-29 03:00")
    assert run.argv == ["env_dump", *words], "the record has the words that were executed"


def test_a_raw_command_gets_the_values() -> None:
    job = a_job_of_new_year(command="", raw_command=f"echo '{{{{.Names}}}}' {DAY}")
    assert stdout_of(ran(job, instant=ASKED)) == "{{.Names}} 2026-03-29 01:00\n"


def test_a_raw_command_has_the_same_variables() -> None:
    line = 'sh -c "echo $CHRONIKER_TRIGGER $CHRONIKER_ATTEMPT $CHRONIKER_SCHEDULED_FOR"'
    job = a_job_of_new_year(command="", raw_command=line)
    assert stdout_of(ran(job, instant=ASKED)) == f"MANUAL 1 {ASKED.isoformat()}\n"


def test_arguments_for_one_run_have_placeholders_too() -> None:
    job = a_job_of_new_year(command="env_dump")
    run = ran(job, args="{{ token }} {{ attempt }} {{ trigger }}")
    assert json.loads(stdout_of(run))["words"] == ["1", "1", "MANUAL"]


def test_a_run_without_a_needed_value_fails_before_its_command_begins() -> None:
    job = a_job_of_new_year(command="env_dump", args="{{ last_success }}")
    run = ran(job)
    assert (run.status, run.code, stdout_of(run)) == (Status.FAILED, "REFUSED", "")
    assert (
        '{{ last_success }} has no value for this run. Write {{ last_success|default:"…" }} to allow that.'
        in run.reason
    )
    Job.objects.filter(pk=job.pk).update(args='{{ last_success|default:"never" }}')
    job.refresh_from_db()
    assert json.loads(stdout_of(ran(job)))["words"] == ["never"]


def test_a_retry_after_an_edit_has_the_old_time_and_the_new_arguments() -> None:
    job = a_due_job(command="env_dump", args=f"old {DAY}", max_retries=1, retry_backoff_seconds=0)
    [first] = tick().claimed
    lifecycle.finish(first.pk, first.token, started(first), Outcome(Status.FAILED))
    Job.objects.filter(pk=job.pk).update(args=f"new {DAY}", cron="0 0 1 1 *", edited_at=database_now())
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        tick()
    retry = Run.objects.get(job=job, trigger="RETRY")
    assert first.scheduled_for is not None
    assert json.loads(stdout_of(retry))["words"] == ["new", f"{first.scheduled_for:%Y-%m-%d %H:%M}"]


def test_a_retry_can_read_its_number_and_what_the_first_attempt_was_for() -> None:
    job = a_due_job(
        minutes=3, command="env_dump", args="{{ attempt }} {{ trigger }}", max_retries=1, retry_backoff_seconds=0
    )
    [first] = tick().claimed
    lifecycle.finish(first.pk, first.token, started(first), Outcome(Status.FAILED))
    Job.objects.filter(pk=job.pk).update(cron="0 0 1 1 *", edited_at=database_now())
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        tick()
    retry = Run.objects.get(job=job, trigger="RETRY")
    seen = json.loads(stdout_of(retry))
    assert first.scheduled_for and first.covered_until and first.interval_start
    assert {name: seen["environ"][f"CHRONIKER_{name}"] for name in ("ATTEMPT", "TRIGGER", "RUN_TOKEN")} == {
        "ATTEMPT": "2",
        "TRIGGER": "SCHEDULE",
        "RUN_TOKEN": str(retry.token),
    }
    assert {name: seen["environ"][f"CHRONIKER_{name.upper()}"] for name in ("scheduled_for", "covered_until")} == {
        "scheduled_for": first.scheduled_for.isoformat(),
        "covered_until": first.covered_until.isoformat(),
    }
    assert seen["environ"]["CHRONIKER_INTERVAL_START"] == first.interval_start.isoformat()
    assert seen["words"] == ["2", "SCHEDULE"]
    assert state_of(job).last_success_until == first.covered_until, "the chain of the schedule has succeeded"


def test_a_start_that_broke_off_after_its_first_statement_gives_the_same_words_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = a_due_job(command="env_dump", args=f"'{DAY}' {{{{ token }}}}")
    [run] = tick().claimed
    report = DatabaseReport(run.pk, run.token)

    def broken(*_: object) -> None:
        raise OperationalError("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr(lifecycle, "record_executed_argv", broken)
        with pytest.raises(OperationalError):
            report.start(1)
    assert Run.objects.get(pk=run.pk).argv is None
    Job.objects.filter(pk=job.pk).update(name="renamed")
    spec = report.start(1)
    assert spec is not None and run.scheduled_for is not None
    words = ["env_dump", f"{run.scheduled_for:%Y-%m-%d %H:%M}", str(run.token)]
    assert [*spec.argv] == Run.objects.get(pk=run.pk).argv == words


def test_secrets_and_the_working_directory_have_no_placeholders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    directory = tmp_path / "{{ job }}"
    directory.mkdir()
    monkeypatch.setenv("TOKEN_OF_THE_HOST", "{{ job }}")
    job = a_job_of_new_year(
        name="report",
        command="env_dump",
        environment="NAME={{ job }}",
        secrets="TOKEN=env:TOKEN_OF_THE_HOST",
        working_directory=str(directory),
    )
    seen = json.loads(stdout_of(ran(job)))
    assert (seen["environ"]["NAME"], seen["environ"]["TOKEN"]) == ("report", "{{ job }}")
    assert Path(seen["cwd"]) == directory


def test_imported_commands_keep_their_meaning() -> None:
    job = Job(name="old", command="env_dump", args="{{ host }} {{.Names}}", environment="A={{ job }}", cron="0 0 1 1 *")
    save_candidates([ImportCandidate(job=job, origin="test:1", schedule_there="0 0 1 1 *")], by="a test")
    found = Job.objects.get(name="old")
    assert (found.args, found.environment) == ("{{{{ host }} {{.Names}}", "A={{{{ job }}")
    seen = json.loads(stdout_of(ran(found)))
    assert (seen["words"], seen["environ"]["A"]) == (["{{", "host", "}}", "{{.Names}}"], "{{ job }}")
    assert the_run(found).status == Status.SUCCEEDED

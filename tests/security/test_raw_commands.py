"""A raw command is a program with arguments: no shell interprets them, and no privileges are gained."""

from __future__ import annotations

from pathlib import Path

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.models import LogChunk, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.command_jobs import a_job_of_new_year, stdout_of, the_run
from tests.support.manage import Manage

pytestmark = pytest.mark.django_db(transaction=True)

#: Texts with a meaning for a shell.
METACHARACTERS = "; touch {taken} && touch {taken} | tee {taken} > {taken} $(touch {taken}) `touch {taken}`"


def test_no_shell_reads_a_raw_command(manage: Manage, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    words = METACHARACTERS.format(taken=taken)
    job = a_job_of_new_year(command="", raw_command=f"echo $HOME * {words} & \\#")
    done = manage.in_process("run_job", job.name)
    assert done.returncode == 0, done.stderr
    assert stdout_of(the_run(job)) == f"$HOME * {words} & #\n"
    assert not taken.exists()


def test_a_line_break_is_a_space_and_starts_no_second_command(manage: Manage, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    job = a_job_of_new_year(command="", raw_command=f"echo one\ntouch {taken}")
    assert manage.in_process("run_job", job.name).returncode == 0
    assert stdout_of(the_run(job)) == f"one touch {taken}\n"
    assert not taken.exists()


def test_the_arguments_of_a_management_command_are_words_too(manage: Manage, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    job = a_job_of_new_year(command="env_dump", args=f"'; touch {taken}' $(touch\\ {taken})")
    assert manage.in_process("run_job", job.name).returncode == 0
    assert not taken.exists()


def test_a_setuid_program_gains_nothing(manage: Manage) -> None:
    """With this bit the kernel ignores setuid, setgid and file capabilities, and no program can take it back."""
    job = a_job_of_new_year(command="", raw_command="sh -c 'sh -c \"grep NoNewPrivs /proc/self/status\"'")
    assert manage.in_process("run_job", job.name).returncode == 0
    assert stdout_of(the_run(job)).split() == ["NoNewPrivs:", "1"]


def test_a_setting_that_changes_while_the_run_is_queued_is_applied(manage: Manage, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    job = a_job_of_new_year(command="", raw_command=f"touch {taken}")
    run_now(job, "a test")  # claimed: nothing executes here
    Run.objects.update(redispatch_at=database_now())
    done = manage.having(CHRONIKER_DISABLE_RAW_COMMAND=True).in_process("cron")
    assert done.returncode == 0, done.stderr
    run = the_run(job)
    assert (run.status, taken.exists()) == (Status.FAILED, False)
    assert "CHRONIKER_DISABLE_RAW_COMMAND" in run.reason
    assert not LogChunk.objects.exists()

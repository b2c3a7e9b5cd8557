"""Escape sequences and line breaks in names, reasons and output are escaped in terminals and logs."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import pauses
from chroniker.escaping import escape_controls, to_one_line
from chroniker.models import Group, Host, Job, JobState, Outbox, Run
from chroniker.outbox import delivery
from chroniker.scheduler import tick
from chroniker.scheduler.manual_runs import run_now
from tests.support.command_jobs import a_job_of_new_year
from tests.support.factories import a_dependency, a_due_job, a_job
from tests.support.manage import Manage

pytestmark = pytest.mark.django_db(transaction=True)

FORGED = "2026-01-01 00:00:00 all is well"
#: Sets the terminal title, clears the screen, moves up a line, reverses the text direction, and starts a new line.
HOSTILE = f"x\x1b]0;owned\x07\x1b[2J\x1b[1A\x9b31m\u202e\r\n{FORGED}\u2028"
ACTS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def hostile(dummy: Any) -> Job:
    """A job with an open run; every name and text of its rows is the hostile text."""
    group = Group.objects.create(name=f"group {HOSTILE}")
    Host.objects.create(name=f"host {HOSTILE}", last_seen=database_now(), clock_skew_seconds=99)
    job = a_due_job(name=f"busy {HOSTILE}", group=group)
    idle = a_due_job(name=f"idle {HOSTILE}", enabled=False)
    a_dependency(idle, job, wait_for_success=True)
    JobState.objects.filter(pk=a_due_job(name=f"broken {HOSTILE}").pk).update(schedule_error=HOSTILE)
    run = run_now(job, requested_by=HOSTILE)
    Run.objects.filter(pk=run.pk).update(reason_text=HOSTILE, host=HOSTILE)
    return job


def printed_by(*words: str) -> str:
    """The text on stdout and stderr, and of the error that ended the command."""
    out = io.StringIO()
    try:
        call_command(*words, stdout=out, stderr=out, skip_checks=False)
    except (Exception, SystemExit) as end:
        out.write(escape_controls(str(end)) if isinstance(end, SystemExit) else str(end))
    return out.getvalue()


COMMANDS = [
    ["jobs"],
    ["jobs", "--json"],
    ["doctor"],
    ["doctor", "--json"],
    ["cron", "--dry-run"],
    ["cron"],
    ["cron", "--verbosity", "2"],
    ["cron", "--force-run", "--jobs", "1", "2"],
    ["calculate_job_chain"],
    ["calculate_job_chain", "--json"],
    ["pause", "--reason", HOSTILE],
    ["resume"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_writes_escape_sequences_or_lines_begun_by_a_name(words: list[str], hostile: Job) -> None:
    pauses.pause(HOSTILE, HOSTILE, hostile.group)
    text = printed_by(*words)
    assert text
    assert not ACTS.search(text)
    assert not any(line.lstrip().startswith(FORGED) for line in text.splitlines())


def test_no_command_about_one_job_writes_escape_sequences(hostile: Job) -> None:
    for words in (
        ["run_job", str(hostile.pk)],
        ["stop_job", str(hostile.pk)],
        ["stop_job", hostile.name],
        ["run_job", "busy"],
    ):
        text = printed_by(*words)
        assert text and not ACTS.search(text), words
        assert not any(line.lstrip().startswith(FORGED) for line in text.splitlines()), words


def test_an_import_shows_what_it_refuses_without_its_escapes(tmp_path: Path) -> None:
    path = tmp_path / "dump.json"
    fields = f'{{"name": {json.dumps(HOSTILE)}, "command": "noop", "frequency": "DAILY"}}'
    path.write_text(f'[{{"model": "chroniker.job", "pk": 1, "fields": {fields}}}]')
    text = printed_by("import_chroniker", str(path))
    assert "not imported" in text and not ACTS.search(text)
    assert not any(line.lstrip().startswith(FORGED) for line in text.splitlines())
    assert not Job.objects.exists()


@pytest.mark.parametrize("bad", ["a\nb", "a\x1b[2J", "a\x9b2J", "a\u202eb", "a\u2028b", "\x7f"])
def test_the_form_refuses_such_a_name(bad: str) -> None:
    with pytest.raises(ValidationError, match="one line of text"):
        a_job(name=bad).full_clean()
    a_job(name="Überweisung 日報 👩‍💻 1\u00a0000 «ok»").full_clean()  # unusual characters are allowed


def read_all(descriptor: int) -> str:
    parts = []
    with suppress(OSError):  # the other side is closed
        while part := os.read(descriptor, 65536):
            parts.append(part)
    return b"".join(parts).decode()


def test_the_output_of_a_run_is_escaped_on_a_terminal(manage: Manage) -> None:
    job = a_job_of_new_year(command="", raw_command=r"printf 'a\033]0;owned\007b\r\033[2Jc\n'")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "django", "run_job", job.name], env=manage.env, stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        text = read_all(ours).replace("\r\n", "\n")
    os.close(ours)
    assert "a\\u001b]0;owned\\u0007b\n\\u001b[2Jc\n" in text
    assert not ACTS.search(text)


def test_the_output_of_a_run_is_unchanged_in_a_file(manage: Manage) -> None:
    job = a_job_of_new_year(command="", raw_command=r"printf 'a\033[1mb\033[0m\n'")
    assert "a\x1b[1mb\x1b[0m\n" in manage("run_job", job.name).stdout


def test_an_error_of_a_mail_server_is_one_line_of_the_log(hostile: Job, caplog: pytest.LogCaptureFixture) -> None:
    run = Run.objects.get(job=hostile)
    Outbox.objects.create(run=run, channel=f"odd\x1b[2J\n{FORGED}", send_at=database_now())
    with caplog.at_level(logging.WARNING, "chroniker"):
        delivery.send_due_messages()
    assert caplog.messages and not ACTS.search(caplog.text)
    assert not any("\n" in message for message in caplog.messages)


def test_an_executor_s_error_is_one_line_of_the_log(
    hostile: Job, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, runs: object) -> list[object]:
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr("chroniker.executors.dummy.DummyExecutor.dispatch", broken)
    with caplog.at_level(logging.INFO, "chroniker"):
        tick.tick()
    assert caplog.messages and not any("\n" in message or ACTS.search(message) for message in caplog.messages)


def test_escaped_text_is_readable() -> None:
    assert escape_controls("a\tb\n\x1b") == "a\tb\n\\u001b"
    assert to_one_line("a\tb\n\x1b\ud800é日") == "a\\u0009b\\u000a\\u001b\\ud800é日"

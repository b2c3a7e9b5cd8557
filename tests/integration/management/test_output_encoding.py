"""A terminal or a log may be ASCII or Latin-1: no command of chroniker fails because of a character."""

from __future__ import annotations

import pytest

from tests.support.command_jobs import a_job_due_once, a_job_of_new_year, the_run
from tests.support.manage import Manage
from tests.support.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "déjà vu ✓"
COMMANDS = [
    "calculate_job_chain",
    "check_monitor",
    "cron",
    "cron_clean",
    "cronserver",
    "doctor",
    "import_chroniker",
    "import_crontab",
    "jobs",
    "ledger",
    "pause",
    "resume",
    "run_job",
    "stop_job",
    "sync_jobs",
]


@pytest.fixture
def narrow(manage: Manage) -> Manage:
    return Manage({**manage.env, "PYTHONIOENCODING": "ascii"}, manage.directory)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_printed(narrow: Manage, command: str) -> None:
    done = narrow.in_process(command, "--help")
    assert done.returncode == 0, done.stderr
    assert "UnicodeEncodeError" not in done.stdout + done.stderr


@pytest.mark.parametrize("words", [("jobs",), ("ledger", NAME), ("pause", "--reason", "é ✓"), ("check_monitor",)])
def test_characters_missing_in_the_encoding_are_escaped(narrow: Manage, words: tuple[str, ...]) -> None:
    a_job_of_new_year(name=NAME)
    done = narrow(*words)
    assert "UnicodeEncodeError" not in done.stdout + done.stderr


def test_jobs_are_listed_with_escapes(narrow: Manage) -> None:
    a_job_of_new_year(name=NAME)
    done = narrow("jobs")
    assert done.returncode == 0 and r"d\xe9j\xe0 vu \u2713" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_cronserver_survives_its_first_claim(manage: Manage, encoding: str) -> None:
    narrow = Manage({**manage.env, "PYTHONIOENCODING": encoding}, manage.directory)
    job = a_job_due_once(name=NAME)
    with narrow.process("cronserver", "0.2") as server:
        wait_until(lambda: "succeeded" in server.log, what="the result of the run")
        assert server.running()
    assert "UnicodeEncodeError" not in server.log and str(the_run(job).pk) in server.log

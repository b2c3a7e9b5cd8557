"""Every command answers a database without the tables of this app, or with old ones, with the remedy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.bare_project import EMPTY, BareProject, run

REMEDY = "Run: manage.py migrate"
#: Each command that reads the database, with the least arguments.
COMMANDS = (
    "alerts",
    "backfill nightly --from 2026-01-01 --until 2026-01-02",
    "channels",
    "chroniker_adopt",
    "metrics",
    "retries",
    "trigger_job nightly",
    "cron",
    "run_job nightly",
    "stop_job nightly",
    "jobs",
    "ledger nightly",
    "calculate_job_chain",
    "pause",
    "resume",
    "drain",
    "sync_jobs",
    "cron_clean days 30",
    "doctor",
    "import_crontab crontab",
)
#: ``cronserver`` waits for the tables, and has a test of its own; ``check_monitor`` reads those of the project alone;
#: ``import_chroniker`` misses the tables of django-chroniker, and names "migrate" in a sentence of its own.
OTHERS = {"cronserver", "check_monitor", "import_chroniker"}
SCRIPT = """
import io, sys, django
from contextlib import redirect_stderr, redirect_stdout
django.setup()
from django.core.management import CommandError, call_command
for line in sys.argv[1:]:
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        try:
            call_command(*line.split())
        except (CommandError, SystemExit) as error:
            print(error)
    print(line, "->", text.getvalue().replace(chr(10), " "))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = BareProject(tmp_path / "project").directory
    (directory / "crontab").write_text("0 3 * * * true\n")
    return directory


def answers(project: Path) -> dict[str, str]:
    env = {**EMPTY, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "site_.settings"}
    printed = run([sys.executable, "-c", SCRIPT, *COMMANDS], env=env, cwd=project)
    return dict(line.split(" -> ", 1) for line in printed.splitlines() if " -> " in line)


def test_an_unmigrated_database_is_answered_with_the_remedy(project: Path) -> None:
    found = answers(project)
    assert found.keys() == set(COMMANDS)
    assert [command for command, text in found.items() if REMEDY not in text] == []


def test_no_command_is_left_out() -> None:
    names = {path.stem for path in (ROOT / "chroniker" / "management" / "commands").glob("[a-z]*.py")}
    assert names == {command.split()[0] for command in COMMANDS} | OTHERS


def test_a_missing_column_is_answered_with_the_remedy_if_a_migration_is_not_applied(project: Path) -> None:
    env = {**EMPTY, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "site_.settings"}
    run([sys.executable, "manage.py", "migrate", "-v", "0"], env=env, cwd=project)
    undo = "DELETE FROM django_migrations WHERE app = 'chroniker'; ALTER TABLE chroniker_job DROP COLUMN jitter_seconds"
    code = f"from django.db import connection as c; [c.cursor().execute(q) for q in {undo.split('; ')!r}]"
    run([sys.executable, "manage.py", "shell", "-v", "0", "-c", code], env=env, cwd=project)
    found = answers(project)
    assert "Not all migrations of chroniker are applied." in found["jobs"] and REMEDY in found["jobs"]

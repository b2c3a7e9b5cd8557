"""Projects whose settings need code: CHRONIKER_COMMAND_SETUP names it for the processes that run commands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.bare_project import EMPTY, BareProject, run

#: Settings that only this code loads: ``DJANGO_SETTINGS_MODULE`` is never set.
STARTUP = """
from django.conf import settings
from site_ import settings as values


def configure():
    if not settings.configured:
        names = {name: getattr(values, name) for name in dir(values) if name.isupper()}
        settings.configure(**names)
"""
MANAGE = """
import sys
from site_ import startup
startup.configure()
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


@pytest.fixture
def project(tmp_path: Path) -> BareProject:
    made = BareProject(tmp_path)
    (tmp_path / "site_" / "startup.py").write_text(STARTUP)
    (tmp_path / "manage.py").write_text(MANAGE)
    with (tmp_path / "site_" / "settings.py").open("a") as settings:
        settings.write('\nCHRONIKER_COMMAND_SETUP = "site_.startup:configure"\n')
    return made


def test_jobs_run_in_a_project_that_calls_settings_configure(project: BareProject) -> None:
    env = {**EMPTY, "PYTHONPATH": str(ROOT)}
    project.migrate(Path(sys.executable), env)
    output = run([sys.executable, "manage.py", "cron"], env=env, cwd=project.directory)
    assert project.witness.exists(), output


def test_a_system_check_reports_the_missing_setting(project: BareProject) -> None:
    settings = project.directory / "site_" / "settings.py"
    settings.write_text(settings.read_text().replace("CHRONIKER_COMMAND_SETUP", "OTHER"))
    env = {**EMPTY, "PYTHONPATH": str(ROOT)}
    output = run([sys.executable, "manage.py", "check"], env=env, cwd=project.directory)
    assert "chroniker.W012" in output and "CHRONIKER_COMMAND_SETUP" in output

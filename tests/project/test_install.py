"""From an empty project to a job that ran, with only the steps of the installation guide."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

MAKE_A_JOB = """
from chroniker.models import Job
Job.objects.create(name="first", command="check", cron="* * * * *", force_run=True)
"""
WHAT_RAN = """
from chroniker.models import Run
print([(run.job.name, run.status) for run in Run.objects.all()])
"""


class NewProject:
    """A new Django project."""

    def __init__(self, directory: Path, name: str = "shop") -> None:
        self.name = name
        self.directory = directory / name
        self.directory.mkdir()
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CHRONIKER", "DJANGO"))},
            "PYTHONPATH": str(ROOT),  # where pip would install it
            "TMPDIR": str(directory),
        }
        self.run("-m", "django", "startproject", name, ".")

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=self.directory, env=self.env, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def manage(self, *words: str) -> str:
        return self.run("manage.py", *words)

    def add_settings(self, line: str) -> None:
        with (self.directory / self.name / "settings.py").open("a") as settings:
            settings.write(f"\n{line}\n")

    def assert_that_a_job_runs(self) -> None:
        printed = self.manage("check")
        assert "chroniker.E" not in printed and "chroniker_celery.E" not in printed
        self.manage("migrate", "--verbosity", "0")
        self.manage("shell", "--verbosity", "0", "--command", MAKE_A_JOB)
        self.manage("cron")
        assert "('first', 'SUCCEEDED')" in self.manage("shell", "--verbosity", "0", "--command", WHAT_RAN)
        assert "No changes detected" in self.manage("makemigrations", "--dry-run")


@pytest.fixture
def new_project(tmp_path: Path) -> NewProject:
    return NewProject(tmp_path)


def test_install_with_sites(new_project: NewProject) -> None:
    new_project.add_settings('INSTALLED_APPS += ["django.contrib.sites", "chroniker"]')
    new_project.assert_that_a_job_runs()


def test_install_without_sites(new_project: NewProject) -> None:
    new_project.add_settings('INSTALLED_APPS += ["chroniker"]')
    new_project.assert_that_a_job_runs()


@pytest.mark.celery
def test_install_for_the_fleet(new_project: NewProject) -> None:
    new_project.add_settings('INSTALLED_APPS += ["django.contrib.sites", "chroniker"]')
    new_project.add_settings('INSTALLED_APPS += ["chroniker_celery", "django_celery_results"]')
    new_project.assert_that_a_job_runs()

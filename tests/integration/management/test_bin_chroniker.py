"""``chroniker``: one tick from a crontab line."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.bare_project import EMPTY, BareProject, environment
from tests.support.processes import wait_until

PROGRAM = [sys.executable, str(ROOT / "bin" / "chroniker")]


@pytest.fixture(scope="module")
def virtualenv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("environment") / "venv"
    environment(directory)
    return directory


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory, virtualenv: Path) -> Path:
    project = BareProject(tmp_path_factory.mktemp("migrated"))
    project.migrate(virtualenv / "bin" / "python")
    return project.directory


@pytest.fixture
def project(tmp_path: Path, migrated: Path) -> BareProject:
    """A copy of a project whose database is migrated: that takes longer than most of these tests."""
    shutil.copytree(migrated, tmp_path / "project")
    return BareProject(tmp_path / "project")


def chroniker(*words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *map(str, words)], env={**EMPTY, **env}, cwd="/", capture_output=True, text=True, timeout=120
    )


def test_chroniker_runs_one_tick_in_the_given_environment_and_project(project: BareProject, virtualenv: Path) -> None:
    done = chroniker("-e", virtualenv, "-p", project.directory, "-s", "site_.settings")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "cron mails what is printed"
    assert project.witness.exists()


def test_the_settings_module_is_read_from_manage_py(project: BareProject, virtualenv: Path) -> None:
    assert chroniker("-e", virtualenv / "bin" / "activate", "-p", project.directory).returncode == 0
    assert project.witness.exists()


def test_the_virtual_environment_may_be_named_by_a_script_that_venv_does_not_create(
    project: BareProject, virtualenv: Path
) -> None:
    script = virtualenv / "bin" / "activate_this.py"
    assert not script.exists()
    assert chroniker("-e", script, "-p", project.directory).returncode == 0
    assert project.witness.exists()


def test_raw_commands_find_programs_of_the_environment(project: BareProject, virtualenv: Path) -> None:
    (virtualenv / "bin" / "leave-a-mark").write_text("#!/bin/sh\ntouch witness\n")
    (virtualenv / "bin" / "leave-a-mark").chmod(0o755)
    jobs = project.directory / "shop" / "jobs.py"
    jobs.write_text(jobs.read_text().replace('command="witness"', 'raw_command="leave-a-mark"'))
    project.migrate(virtualenv / "bin" / "python")
    assert chroniker("-e", virtualenv, "-p", project.directory).returncode == 0
    assert project.witness.exists()


def test_quiet_prints_nothing_and_a_log_file_receives_the_output(
    project: BareProject, virtualenv: Path, tmp_path: Path
) -> None:
    log = tmp_path / "ticks.log"
    words: list[str | Path] = ["-e", virtualenv, "-p", project.directory]
    assert chroniker(*words, "--log-file", log, "-l").stdout == ""
    assert "claimed “witness”" in log.read_text()
    done = chroniker(*words, "-q", "--log-file", log, "--jobs", "no such job")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert "There is no job with the name or id “no such job”." in log.read_text()
    done = chroniker(*words, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_only_the_given_jobs_are_claimed(project: BareProject, virtualenv: Path) -> None:
    jobs = project.directory / "shop" / "jobs.py"
    jobs.write_text(jobs.read_text() + 'other = chroniker.job(name="other", raw_command="true", cron="0 0 1 1 *")\n')
    project.migrate(virtualenv / "bin" / "python")
    words: list[str | Path] = ["-e", virtualenv, "-p", project.directory, "--jobs"]
    assert chroniker(*words, "2").returncode == 0 and not project.witness.exists()
    assert chroniker(*words, "1,2").returncode == 0 and project.witness.exists()


def test_the_help_shows_a_crontab_line() -> None:
    message = chroniker("--help").stdout
    assert "* * * * * /srv/site/venv/bin/chroniker -p /srv/site" in message
    assert all(option in message for option in ("-e ", "-p ", "-s ", "-q", "-l", "--log-file", "--jobs"))


def test_invalid_arguments_are_explained(tmp_path: Path) -> None:
    for words, message in (
        (["-p", tmp_path / "nowhere"], "does not exist (-p)"),
        (["-e", tmp_path], "is not a virtual environment"),
        (["-p", tmp_path], "Which settings?"),
        (["--job"], "expected at least one argument"),
    ):
        done = chroniker(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr and "Traceback" not in done.stderr


def test_a_python_without_django_asks_for_an_environment(tmp_path: Path) -> None:
    words = [sys.executable, "-S", *PROGRAM[1:], "-p", str(tmp_path)]  # without site-packages
    done = subprocess.run(words, env=EMPTY, cwd="/", capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"There is no Django for {sys.executable}: name the project's virtual environment with -e." in done.stderr


def busybox() -> str | None:
    """A cron daemon that runs in the foreground, reads a private directory, and changes nothing else in the system."""
    found = shutil.which("busybox")
    if found is None or os.getuid() != 0:
        return None
    applets = subprocess.run([found, "--list"], capture_output=True, text=True, check=True).stdout
    return found if "crond" in applets.split() else None


@pytest.mark.skipif(busybox() is None, reason="needs root and the package busybox-static")
def test_a_line_in_a_crontab_runs_jobs(project: BareProject, virtualenv: Path, tmp_path: Path) -> None:
    spool, log, log_file = tmp_path / "crontabs", tmp_path / "crond.log", tmp_path / "tick.log"
    spool.mkdir()
    line = f"* * * * * {' '.join(PROGRAM)} -e {virtualenv} -p {project.directory} -l --log-file {log_file}\n"
    (spool / getpass.getuser()).write_text(line)
    command = [str(busybox()), "crond", "-f", "-c", str(spool), "-L", str(log), "-l", "0"]
    cron = subprocess.Popen(command, env={}, cwd="/", start_new_session=True)
    try:
        # The output in the file is written when the tick ends.
        wait_until(
            lambda: log_file.exists() and "claimed “witness”" in log_file.read_text(), seconds=180, what="a tick"
        )
        assert project.witness.exists()
    finally:
        cron.kill()
        cron.wait()

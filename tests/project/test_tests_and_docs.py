"""One test by name; the documentation; the archives of a release, and a new environment made from them."""

from __future__ import annotations

import os
import socket
import sys
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

from tests.project.test_packaging import dist, wheel
from tests.support import ROOT
from tests.support.bare_project import EMPTY, BareProject, environment, run
from tests.support.processes import Process, wait_until

__all__ = ["dist", "wheel"]


def environ(**more: str) -> dict[str, str]:
    """The environment without the choices of this test run."""
    chosen = ("CHRONIKER_TEST", "DJANGO_SETTINGS_MODULE", "PYTEST_", "TEST_DATABASE", "TOX_")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(chosen)}, **more}


def test_one_test_can_be_selected_by_name_and_versions(tmp_path: Path) -> None:
    words: list[str | Path] = [sys.executable, "-m", "tox", "config", "--workdir", tmp_path, "-e", "py313-django61"]
    printed = run([*words, "-k", "deps", "set_env", "pass_env", "commands"], env=environ(), cwd=ROOT)
    assert "Django<6.2,>=6.1" in printed.replace(" ", "") or "Django>=6.1,<6.2" in printed.replace(" ", "")
    assert "TESTNAME" in printed and "python -m pytest" in printed
    assert "TEST_DATABASE=" not in printed.replace(" ", "")  # SQLite, which is always there
    pytest_alone: list[str | Path] = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    name = "test_one_test_can_be_selected_by_name_and_versions"
    printed = run(pytest_alone, env=environ(TESTNAME=f".{name}"), cwd=ROOT)
    assert f"test_tests_and_docs.py::{name}" in printed and printed.count("::") == 1


def test_the_documentation_is_built_without_a_warning(tmp_path: Path) -> None:
    run([sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path / "site"], env=environ(), cwd=ROOT)
    assert (tmp_path / "site" / "tutorial" / "index.html").exists()


def test_the_documentation_is_served(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = str(ROOT / "mkdocs.yml")
    with Process(["-m", "mkdocs", "serve", "-f", config, "-a", address, "--no-livereload"], environ(), tmp_path):
        page = wait_until(lambda: fetched(f"http://{address}/tutorial/"), what="mkdocs serves")
    assert "from an empty project to a running fleet" in page


def fetched(url: str) -> str:
    with suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())
    return ""


def test_both_archives_pass_twine_check(dist: Path) -> None:
    archives = sorted(dist.iterdir())
    assert [archive.suffix for archive in archives] == [".whl", ".gz"]
    run([sys.executable, "-m", "twine", "check", "--strict", *archives], env=environ(), cwd=dist)


def test_a_job_runs_in_a_new_environment_made_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    project = BareProject(tmp_path / "project")
    python = environment(tmp_path / "venv", with_sources=False)
    install = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-index",
        "--ignore-installed",
        str(wheel),
    ]
    run([sys.executable, "-m", "pip", "--python", python, *install], env=environ(), cwd=tmp_path)
    where = run([python, "-c", "import chroniker; print(chroniker.__file__)"], env=EMPTY, cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path / "venv")
    run([python, "manage.py", "check"], env=EMPTY, cwd=project.directory)
    project.migrate(python)
    run([tmp_path / "venv" / "bin" / "chroniker", "-p", project.directory], env=EMPTY, cwd=Path("/"))
    assert project.witness.exists()
    run([python, "-m", "django", "shell", "--settings", "site_.settings", "-c", SHOW], env=EMPTY, cwd=project.directory)


#: Files other than Python, which Django finds where the wheel puts them.
SHOW = """
from importlib.resources import files
from django.contrib.staticfiles import finders
from django.template.loader import get_template
get_template("chroniker/console/edit/preview.html")
assert finders.find("chroniker/console/live.js")
assert files("chroniker").joinpath("py.typed").is_file()
"""

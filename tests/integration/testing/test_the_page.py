"""The page “Test your jobs”: its examples are a project, whose tests pass and whose types are right."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.bare_project import EMPTY, BareProject, run

PAGE = ROOT / "docs" / "how-to" / "test-your-jobs.md"
FILE = re.compile(r'^```python title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the files of the page, and no other job."""
    directory = BareProject(tmp_path / "project").directory
    for name in ("jobs.py", "management/commands/witness.py"):
        (directory / "shop" / name).unlink()
    for path, source in FILE.findall(PAGE.read_text()):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(source)
    return directory


def test_the_examples_pass(project: Path) -> None:
    env = {**EMPTY, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "site_.settings"}
    plugins = ["-p", "chroniker.pytest_plugin", "-p", "no:valkey", "-p", "no:cacheprovider"]
    words: list[str | Path] = [sys.executable, "-m", "pytest", "-q", *plugins, "--import-mode=importlib", "tests"]
    assert "6 passed" in run(words, env=env, cwd=project)


@pytest.mark.nightly
def test_the_examples_have_strict_types(project: Path) -> None:
    """As a project sees them: without the plugin of django-stubs, and only its own files are checked."""
    env = {**EMPTY, "MYPYPATH": str(ROOT)}
    words: list[str | Path] = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"]
    options = ["--python-version=3.11", "--namespace-packages", "--explicit-package-bases", "--no-error-summary"]
    assert run([*words, *options, "--cache-dir=/dev/null", "shop/management", "tests"], env=env, cwd=project) == ""

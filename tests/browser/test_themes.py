"""Themes of the admin that leave out its style sheets and replace its templates."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

#: By app: the package.
THEMES = {"unfold": "django-unfold", "jazzmin": "django-jazzmin"}
#: Variables of this test run, with its database.
OF_THIS_RUN = ("CHRONIKER_TEST_DB", "CHRONIKER_TEST_RUNTIME", "DJANGO_", "PYTEST_")


@pytest.mark.nightly
@pytest.mark.parametrize("theme", THEMES)
def test_every_page_fits_into_a_theme(theme: str, tmp_path: Path) -> None:
    """In a process of its own: the apps are settings. The theme is not installed for other tests."""
    packages = tmp_path / "packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(packages)]
    subprocess.run([*pip, THEMES[theme]], check=True)
    pages = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/browser/pages_in_a_theme.py"]
    path = os.pathsep.join([str(packages), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"CHRONIKER_TEST_THEME": theme, "PYTHONPATH": path, "TEST_DATABASE": "sqlite"}
    others = {name: value for name, value in os.environ.items() if not name.startswith(OF_THIS_RUN)}
    found = subprocess.run(pages, cwd=ROOT, env=others | own, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-20_000:] + found.stderr[-2_000:]

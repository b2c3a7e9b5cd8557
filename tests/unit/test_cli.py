"""What the program ``chroniker`` starts: the project's Python, its settings and the environment of the tick."""

from __future__ import annotations

from pathlib import Path

import pytest

from chroniker.cli import TickCommandLine, find_tick_command_line, make_parser
from chroniker.exceptions import TickStartError


def command_line(*words: str | Path, **environ: str) -> TickCommandLine:
    return find_tick_command_line(make_parser().parse_args([str(word) for word in words]), environ)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory without ``manage.py``."""
    (tmp_path / "shop").mkdir()
    return tmp_path / "shop"


@pytest.mark.parametrize("folder", ["", "shop/"])
@pytest.mark.parametrize("file", ["settings.py", "settings/__init__.py"])
def test_settings_with_the_name_of_the_directory_are_found(project: Path, folder: str, file: str) -> None:
    module = project / f"{folder}{file}"
    module.parent.mkdir(parents=True, exist_ok=True)
    module.touch()
    found = command_line("-p", project, PYTHONPATH="/srv/lib")
    assert found.argv[1:] == ["-m", "django", "cron", "--verbosity", "1", "--quiet", "--settings", "shop.settings"]
    assert found.environment["PYTHONPATH"] == f"{project}:{project.parent}:/srv/lib"
    assert found.directory == project


def test_named_settings_are_not_guessed(project: Path) -> None:
    with pytest.raises(TickStartError, match="Which settings"):
        command_line("-p", project)
    assert command_line("-p", project, "-s", "a.b").argv[-2:] == ["--settings", "a.b"]
    found = command_line("-p", project, DJANGO_SETTINGS_MODULE="c.d")
    assert found.argv[-2:] == ["--settings", "c.d"] and found.environment["PYTHONPATH"] == f"{project}:{project.parent}"


@pytest.mark.parametrize("is_environment", [True, False])
def test_only_a_virtual_environment_is_activated(project: Path, is_environment: bool) -> None:
    root = project.parent / "python"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "python").touch()
    if is_environment:
        (root / "pyvenv.cfg").touch()
    found = command_line("-e", root, "-p", project, "-s", "a.b", PATH="/bin")
    assert found.argv[0] == str(root / "bin" / "python")
    assert found.environment.get("VIRTUAL_ENV") == (str(root) if is_environment else None)
    assert found.environment["PATH"] == (f"{root / 'bin'}:/bin" if is_environment else "/bin")

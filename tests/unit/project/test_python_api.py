"""The page of the public Python API: complete, and each name on it exists."""

from __future__ import annotations

import importlib
import inspect
import re
from importlib.util import find_spec

import pytest
from django.dispatch import Signal

import chroniker
from chroniker import exceptions, pytest_plugin, signals, testing
from tests.support import ROOT
from tests.unit.project.test_docs import COMMANDS, page

SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page("python-api"), re.MULTILINE | re.DOTALL))
FIRST_CELL = re.compile(r"^\| ((?:[^|`]|`[^`]*`)+) \|", re.MULTILINE)


def names_in(section: str) -> set[str]:
    """The names in the first column of the table."""
    cells = " ".join(FIRST_CELL.findall(SECTIONS[section]))
    return {re.split(r"[(]", code)[0] for code in re.findall(r"`([^`]+)`", cells)}


def test_each_public_function_is_on_the_page_and_no_other() -> None:
    assert names_in("Functions") == set(chroniker.__all__)


@pytest.mark.parametrize("name", chroniker.__all__)
def test_the_arguments_on_the_page_are_those_of_the_function(name: str) -> None:
    arguments = inspect.signature(getattr(chroniker, name)).parameters.values()
    found = re.search(rf"`{name}\(([^)]*)\)`", SECTIONS["Functions"])
    written = [each.split("=")[0].strip("* ") for each in found[1].split(",")] if found else []
    assert list(filter(None, written)) == [each.name for each in arguments]


def test_each_public_name_for_tests_is_on_the_page_and_no_other() -> None:
    assert names_in("For tests") == set(testing.__all__)
    fixtures = [name for name in vars(pytest_plugin) if name.startswith("chroniker_")]
    assert fixtures and all(f"`{name}`" in SECTIONS["For tests"] for name in fixtures)


def test_each_attribute_of_an_outcome_is_on_the_page() -> None:
    public = [name for name in dir(testing.Outcome) if not name.startswith("_")]
    assert [name for name in public if f"`{name}`" not in SECTIONS["For tests"]] == []


def test_each_method_of_the_simulated_scheduler_is_on_the_page() -> None:
    public = [name for name in dir(testing.Scheduler) if not name.startswith("_")]
    assert [name for name in public if not re.search(rf"`{name}\b", SECTIONS["For tests"])] == []


def test_each_signal_is_on_the_page_with_its_arguments() -> None:
    assert names_in("Signals") == {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    source = inspect.getsource(signals)
    for name in names_in("Signals"):
        comment = source[: source.index(f"{name} = ")].rpartition("Arguments:")[2]
        row = next(line for line in SECTIONS["Signals"].splitlines() if line.startswith(f"| `{name}`"))
        assert re.findall(r"``(\w+)``", comment) == re.findall(r"`(\w+)`", row)[1:]


def test_each_exception_that_a_public_function_raises_is_on_the_page() -> None:
    documented = names_in("Exceptions")
    assert all(issubclass(getattr(exceptions, name), exceptions.ChronikerError) for name in documented)
    raised = {each for name in chroniker.__all__ for each in re.findall(r"``([A-Z]\w+)``", doc(name))}
    assert {name for name in raised if hasattr(exceptions, name)} <= documented


def doc(name: str) -> str:
    return getattr(chroniker, name).__doc__ or ""


def test_each_model_on_the_page_exists() -> None:
    models = importlib.import_module("chroniker.models")
    named = set(re.findall(r"`([A-Z]\w+)`", SECTIONS["Models"]))
    assert named and named <= set(models.__all__)


def test_each_dotted_path_on_the_page_exists() -> None:
    for path in re.findall(r"`(chroniker(?:_celery)?\.[\w.:]+)`", page("python-api")):
        if path.startswith("chroniker_celery") and find_spec("celery") is None:
            continue
        assert exists(path.replace(":", ".")), path


def exists(path: str) -> bool:
    module, _dot, rest = path, "", ""
    while module:
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _dot, last = module.rpartition(".")
            rest = f"{last}.{rest}".strip(".")
            continue
        for name in filter(None, rest.split(".")):
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


def test_each_dotted_path_of_the_documentation_is_on_the_page() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs" / "how-to").glob("*.md"), *(ROOT / "docs" / "reference").glob("*.md")]
    pattern = re.compile(r"\bchroniker(?:_celery)?(?:\.(?!on\b)[a-z_]+)+[.:][A-Z]\w+")
    used = {path for each in pages for path in pattern.findall(each.read_text())}
    known = page("python-api")
    assert [path for path in sorted(used) if path not in known and not is_exception(path)] == []


def is_exception(path: str) -> bool:
    return path.startswith("chroniker.exceptions.") and path.rpartition(".")[2] in names_in("Exceptions")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_exit_status_of_its_own_is_in_the_reference(command: str) -> None:
    from django.core.management import get_commands

    source = inspect.getsource(importlib.import_module(f"{get_commands()[command]}.management.commands.{command}"))
    section = page("commands").split("## Exit statuses")[1].split("\n## ")[0]
    if "SystemExit" in source or "returncode=" in source:
        assert f"| `{command}" in section

"""Failpoints, mutations and process names of the fault runner refer to what the product uses today."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import failpoints
from tests.faults.injection import processes
from tests.faults.mutations import CALLS_VARIABLE, MUTATIONS
from tests.support import ROOT

LIFECYCLE = ROOT / "chroniker" / "lifecycle"
TOUCH_EACH_MUTATION = """
import django
django.setup()
from tests.faults import mutations
for name in mutations.MUTATIONS:
    mutations.apply(name)
"""


def product_trees() -> Iterator[tuple[Path, ast.Module]]:
    for package in ("chroniker", "chroniker_celery"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, ast.parse(path.read_text())


def calls_by_attribute(tree: ast.Module) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "lifecycle"
    }


def names_imported_from_lifecycle(tree: ast.Module) -> set[str]:
    """``from chroniker.lifecycle import claim`` binds the function itself: replacing the attribute has no effect."""
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chroniker.lifecycle")
        for alias in node.names
    }


def test_each_step_is_called_where_the_failpoints_see_it() -> None:
    called: set[str] = set()
    for path, tree in product_trees():
        if LIFECYCLE in path.parents:
            continue
        called |= calls_by_attribute(tree)
        hidden = names_imported_from_lifecycle(tree) & set(failpoints.STEPS)
        assert not hidden, f"{path} imports {hidden} by name; the failpoints do not see those calls"
    assert set(failpoints.STEPS) <= called, set(failpoints.STEPS) - called


def constants_of(tree: ast.Module) -> dict[str, str]:
    """Module-level names of texts."""
    return {
        ast.unparse(node.targets[0]): node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def test_the_names_of_processes_are_those_that_the_product_sets() -> None:
    names: set[str] = set()
    for _path, tree in product_trees():
        constants = constants_of(tree)
        for node in ast.walk(tree):
            function = getattr(node, "func", None)
            if (
                isinstance(node, ast.Call)
                and getattr(function, "id", getattr(function, "attr", "")) == "set_process_name"
            ):
                argument = node.args[0]
                constant = argument.value if isinstance(argument, ast.Constant) else constants[ast.unparse(argument)]
                names.add(str(constant))
    assert {name[:15] for name in names} == set(processes.PRODUCT_PROCESSES)


def run_python(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    settings = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **settings, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_mutation_replaces_a_name_that_exists() -> None:
    done = run_python(TOUCH_EACH_MUTATION)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("called", [False, True])
def test_a_mutation_records_that_it_was_called(called: bool, tmp_path: Path) -> None:
    """The runner fails a trial without this record."""
    calls = tmp_path / "called"
    use = "from chroniker.lifecycle import expiry; expiry.settings.drift_allowance" if called else ""
    done = run_python(
        f"import django; django.setup(); {use}", CHRONIKER_TEST_WITHOUT="lease-check", **{CALLS_VARIABLE: str(calls)}
    )
    assert done.returncode == 0, done.stderr
    assert calls.exists() is called
    assert "lease-check" in MUTATIONS

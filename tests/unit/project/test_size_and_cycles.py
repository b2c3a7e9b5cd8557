"""Modules and functions stay short, and there are no import cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.support import ROOT

MODULE_LINES, FUNCTION_LINES, MODULES_OUTSIDE = 250, 40, 12
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("chroniker", "chroniker_celery")
    for path in sorted((ROOT / package).rglob("*.py"))
}
#: Of tests and tools too.
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for folder in ("chroniker", "chroniker_celery", "docker", "docs", "tests", ".ci")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
}


def test_no_module_is_longer_than_allowed() -> None:
    lengths = {name: len(source.splitlines()) for name, source in SOURCES.items()}
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_no_function_is_longer_than_allowed() -> None:
    found = {
        f"{name}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, source in SOURCES.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in found.items() if lines > FUNCTION_LINES} == {}


def imported(node: ast.AST) -> Iterator[str]:
    """The modules of both packages that a file imports, also within functions and for type checkers only."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                yield from (each.name for each in names if each.name in MODULES)
            case ast.ImportFrom(module=source, names=names, level=0) if source in MODULES:
                for each in names:
                    yield f"{source}.{each.name}" if f"{source}.{each.name}" in MODULES else source
            case _:
                yield from imported(child)


def test_there_are_no_import_cycles() -> None:
    graph = {
        name: set(imported(ast.parse(path.read_text(encoding="utf-8")))) - {name} for name, path in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_few_modules_lie_outside_the_folders() -> None:
    assert len(list((ROOT / "chroniker").glob("*.py"))) <= MODULES_OUTSIDE

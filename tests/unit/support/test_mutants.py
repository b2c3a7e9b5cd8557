"""A mutant is the same function with one change."""

from __future__ import annotations

from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

from tests.mutants.operators import Mutant, mutants

SOURCE = '''
def decorated(function):
    return function

class Shop:
    @decorated
    def price(self, number: int) -> int:
        """Not changed."""
        if number > 3 and not False:
            return number + 1
        return number

def query(objects):
    objects.delete()
    return objects.filter(pk=1, status="OPEN")
'''


@pytest.fixture
def found(tmp_path: Path) -> list[Mutant]:
    path = tmp_path / "shop.py"
    path.write_text(SOURCE)
    return list(mutants(path))


def changes(found: list[Mutant], function: str) -> list[str]:
    return [mutant.change for mutant in found if mutant.function == function]


def test_each_operator_is_applied(found: list[Mutant]) -> None:
    assert changes(found, "Shop.price") == [
        "if number > 3 and (not False): -> negated",
        "number > 3 and (not False) -> Or",
        "number > 3 -> GtE",
        "3 -> 4",
        "not False -> without not",
        "False -> True",
        "number + 1 -> Sub",
        "1 -> 2",
    ]
    assert changes(found, "query") == [
        "objects.delete() -> removed",
        "objects.filter(pk=1, status='OPEN') -> without pk",
        "objects.filter(pk=1, status='OPEN') -> without status",
        "1 -> 2",
    ]


def run(code: CodeType, *arguments: Any) -> Any:
    return FunctionType(code, {})(*arguments)


def test_a_mutant_s_code_differs_in_one_place(found: list[Mutant]) -> None:
    by_change = {mutant.change: mutant for mutant in found}
    assert run(by_change["number > 3 -> GtE"].code(), None, 3) == 4
    assert run(by_change["number + 1 -> Sub"].code(), None, 5) == 4
    assert run(by_change["not False -> without not"].code(), None, 5) == 5

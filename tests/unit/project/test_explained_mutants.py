from __future__ import annotations

from tests.mutants.__main__ import PACKAGES, explained
from tests.mutants.operators import mutants
from tests.mutants.session import source_files


def test_each_explained_mutant_can_be_made_of_the_source_of_today() -> None:
    """Otherwise the explanation is about code that no longer exists."""
    possible = {mutant.key for path in source_files(PACKAGES) for mutant in mutants(path)}
    assert explained() <= possible

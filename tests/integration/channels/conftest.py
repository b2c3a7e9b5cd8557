from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings


@pytest.fixture(autouse=True)
def _dummy(dummy: object) -> None:
    """All tests of this folder use the dummy executor."""


@pytest.fixture
def _local() -> Iterator[None]:
    from tests.support.channels import LOCAL  # pytest may load this file before the models

    with override_settings(**LOCAL):
        yield

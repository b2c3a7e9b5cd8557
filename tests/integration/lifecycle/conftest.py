from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.test import override_settings

if TYPE_CHECKING:
    from chroniker.executors.dummy import DummyExecutor


@pytest.fixture(autouse=True)
def dummy(db: None) -> Iterator[DummyExecutor]:
    """The default executor only remembers what it was given; leases, not lock files, decide who is alive."""
    from chroniker.executors import executors
    from chroniker.executors.dummy import DummyExecutor

    backend = {"default": {"BACKEND": "chroniker.executors.dummy.DummyExecutor"}}
    with override_settings(CHRONIKER_EXECUTORS=backend, CHRONIKER_CHECK_LOCK_FILE=False):
        executor = executors["default"]
        assert isinstance(executor, DummyExecutor)
        yield executor
    executors.close()

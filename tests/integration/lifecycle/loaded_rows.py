"""Which rows are read: those of other jobs cost time, and change no result."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.db.models import Model
from django.db.models.signals import post_init


@contextlib.contextmanager
def jobs_of_loaded(model: type[Model], job_column: str = "job_id") -> Iterator[set[int]]:
    """The jobs of the rows of this model that are read meanwhile."""
    found: set[int] = set()

    def record(instance: Any, **_more: object) -> None:
        found.add(getattr(instance, job_column))

    post_init.connect(record, sender=model)
    try:
        yield found
    finally:
        post_init.disconnect(record, sender=model)

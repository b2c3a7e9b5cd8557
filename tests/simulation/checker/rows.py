"""Rows of the database, read past Django."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.simulation.database import rows
from tests.simulation.processes import EPOCH
from tests.simulation.world import World

__all__ = ["MICROSECOND", "as_id", "rows", "to_datetime", "true_time"]

MICROSECOND = dt.timedelta(microseconds=1)


def to_datetime(value: Any) -> dt.datetime:
    """As the driver gives it: text, or without a zone."""
    found: dt.datetime = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=dt.UTC)


def as_id(value: Any) -> str:
    """An id as text without hyphens, however the driver gives it."""
    return str(value).replace("-", "")


def true_time(world: World) -> dt.datetime:
    return dt.datetime.fromtimestamp(EPOCH + world.now, dt.UTC)

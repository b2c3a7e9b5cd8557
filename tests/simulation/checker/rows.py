"""Rows of the database, read past Django."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.simulation.database import rows
from tests.simulation.processes import EPOCH
from tests.simulation.world import World

__all__ = ["rows", "to_datetime", "true_time"]


def to_datetime(value: Any) -> dt.datetime:
    """As the driver gives it: text, or without a zone."""
    found: dt.datetime = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=dt.UTC)


def true_time(world: World) -> dt.datetime:
    return dt.datetime.fromtimestamp(EPOCH + world.now, dt.UTC)

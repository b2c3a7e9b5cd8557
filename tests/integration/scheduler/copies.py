"""Databases that are copies of others."""

from __future__ import annotations

from chroniker.clock import jump_detection
from chroniker.models import Switch, installation
from chroniker.scheduler.tick import tick


def first_tick() -> None:
    """Records the identity of this database."""
    jump_detection.read_clock()
    tick()
    assert installation.select_switch_with_identity().exists()


def copy_it() -> None:
    """As a dump restored elsewhere: the row has the identity of another server and table."""
    Switch.objects.update(server_identity="another server", table_identity="another table")

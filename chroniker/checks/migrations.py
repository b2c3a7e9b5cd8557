"""Databases that an unreleased version of chroniker migrated. Queries the database, so only with ``--database``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import DatabaseError, connections
from django.db.migrations.recorder import MigrationRecorder

from chroniker.conf import settings

#: Migrations that were never released. ``0100_initial`` contains what they did; they cannot be undone or repeated.
UNRELEASED_MIGRATION_NAMES = frozenset(
    {"0101_features", "0102_clock_watched", "0103_deletion_after_a_run", "0104_reliability"},
)


def check_migrations(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Reports E012."""
    if settings.database not in (databases or ()):
        return []
    try:
        found = unreleased_migrations()
    except DatabaseError:  # no connection: other checks and the command itself report that
        return []
    if not found:
        return []
    return [
        Error(
            f"DATABASES[{settings.database!r}] was migrated by an unreleased version of chroniker: "
            f"{', '.join(found)} {'is' if len(found) == 1 else 'are'} recorded as applied.",
            hint="Make a new database and run migrate there. Its tables differ from those of this version.",
            id="chroniker.E012",
        )
    ]


def unreleased_migrations() -> list[str]:
    """Names of unreleased migrations that the database records as applied."""
    applied = MigrationRecorder(connections[settings.database]).applied_migrations()
    return sorted(name for app, name in applied if app == "chroniker" and name in UNRELEASED_MIGRATION_NAMES)

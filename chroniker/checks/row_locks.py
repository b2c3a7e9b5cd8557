"""CHRONIKER_SELECT_FOR_UPDATE: its effect on the database of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Warning
from django.db import connections
from django.db.utils import Error

from chroniker.conf import settings

SELECT_FOR_UPDATE_SETTING = "CHRONIKER_SELECT_FOR_UPDATE"


def check_row_locks(**kwargs: Any) -> list[CheckMessage]:
    """Reports W008. Reads settings only."""
    chosen = getattr(django_settings, SELECT_FOR_UPDATE_SETTING, None)
    if not isinstance(chosen, bool):
        return []
    if connections[settings.database].vendor == "sqlite":
        return [
            Warning(
                f"{SELECT_FOR_UPDATE_SETTING} has no effect on SQLite, which has no row locks: each claim holds the "
                "whole database (BEGIN IMMEDIATE) for its short transaction.",
                hint="Remove it. Claims are as safe as on any other database.",
                id="chroniker.W008",
            )
        ]
    return [] if chosen else [_skip_locked_off_warning()]


def _skip_locked_off_warning() -> Warning:
    return Warning(
        f"{SELECT_FOR_UPDATE_SETTING} is False. Claims still lock their rows, or two ticks could claim one run; only "
        "SKIP LOCKED is left out, so that ticks wait for each other instead of sharing the work.",
        hint="Remove it, unless the server lacks SKIP LOCKED. No lock is held while a job runs.",
        id="chroniker.W008",
    )


def check_skip_locked(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Reports W009. Queries the server."""
    alias = settings.database
    if alias not in (databases or ()) or connections[alias].vendor == "sqlite" or not settings.select_for_update:
        return []
    try:
        if connections[alias].features.has_select_for_update_skip_locked:
            return []
    except Error:  # not reachable: another check reports that
        return []
    return [
        Warning(
            f"DATABASES[{alias!r}] has no SKIP LOCKED: ticks wait for each other instead of sharing the work.",
            hint="This is no problem with few ticks. MariaDB has it from version 10.6 on.",
            id="chroniker.W009",
        )
    ]

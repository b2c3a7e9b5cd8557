"""Whether the database that holds the runs is fit for several processes. Looks at settings, connects to nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections

from chroniker.conf import settings

SUPPORTED = ("postgresql", "mysql", "sqlite")

SQLITE_OPTIONS = (
    '"OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": '
    '"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;"}'
)
SHORTEST_TIMEOUT = 10


def check_databases(**kwargs: Any) -> list[CheckMessage]:
    """E008, W003, W004, W005."""
    alias = settings.database
    vendor = connections[alias].vendor
    if vendor not in SUPPORTED:
        return [
            Error(
                f"DATABASES[{alias!r}] is of the kind {vendor}, on which chroniker does not run.",
                hint="Use PostgreSQL, MariaDB, MySQL or SQLite; a database router may send the app chroniker there.",
                id="chroniker.E008",
            )
        ]
    return _sqlite(alias) if vendor == "sqlite" else _server(alias)


def _sqlite(alias: str) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if missing := missing_options(connections[alias].settings_dict.get("OPTIONS") or {}):
        found.append(
            Warning(
                f"DATABASES[{alias!r}] is SQLite without {', '.join(missing)}: "
                "processes that write at the same time will fail with “database is locked”.",
                hint=f"Copy this into DATABASES[{alias!r}]: {SQLITE_OPTIONS}",
                id="chroniker.W003",
            )
        )
    if not settings.check_lock_file:
        found.append(
            Warning(
                "CHRONIKER_CHECK_LOCK_FILE is off on SQLite: while a command writes for long, no lease is renewed.",
                hint="Leave it at None (or True): the kernel's file locks then say which runs are alive.",
                id="chroniker.W005",
            )
        )
    return found


def missing_options(options: Mapping[str, Any]) -> list[str]:
    """What SQLite needs for several processes on one file and is not among its ``OPTIONS``."""
    commands = str(options.get("init_command") or "")
    busy = re.search(r"busy_timeout\s*=\s*(\d+)", commands, re.IGNORECASE)
    timeout = int(busy[1]) / 1000 if busy else options.get("timeout")
    present = {
        "transaction_mode IMMEDIATE": str(options.get("transaction_mode")).upper() in ("IMMEDIATE", "EXCLUSIVE"),
        "journal_mode WAL": bool(re.search(r"journal_mode\s*=\s*[\"']?wal\b", commands, re.IGNORECASE)),
        f"a timeout of {SHORTEST_TIMEOUT} s or more": isinstance(timeout, int | float) and timeout >= SHORTEST_TIMEOUT,
    }
    return [what for what, there in present.items() if not there]


def _server(alias: str) -> list[CheckMessage]:
    if getattr(django_settings, "CHRONIKER_CHECK_LOCK_FILE", None) is not True:  # what is neither has an error already
        return []
    return [
        Warning(
            f"CHRONIKER_CHECK_LOCK_FILE is on, and DATABASES[{alias!r}] is a server: "
            "if a second host ticks or works on it, two instances of a job may run.",
            hint="Set it to False, or, if this host will always be the only one, silence this check.",
            id="chroniker.W004",
        )
    ]

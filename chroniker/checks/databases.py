"""Whether several processes can use the database of the runs. Only ``check_server_is_supported`` connects to it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import DatabaseError, InterfaceError, connections

from chroniker.conf import settings

SUPPORTED_VENDORS = ("postgresql", "mysql", "sqlite")

SQLITE_OPTIONS = (
    '"OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": '
    '"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;"}'
)
MIN_SQLITE_TIMEOUT_SECONDS = 10


def check_databases(**kwargs: Any) -> list[CheckMessage]:
    """Reports E008, W003, W004, W005."""
    alias = settings.database
    vendor = connections[alias].vendor
    if vendor not in SUPPORTED_VENDORS:
        return [
            Error(
                f"DATABASES[{alias!r}] is {vendor}, which chroniker does not support.",
                hint="Use PostgreSQL, MariaDB or SQLite. A database router can select it for this app.",
                id="chroniker.E008",
            )
        ]
    return _check_sqlite(alias) if vendor == "sqlite" else _check_lock_file_setting_for_server(alias)


def check_server_is_supported(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Reports E008 for MySQL, which Django's backend does not distinguish from MariaDB before it connects."""
    alias = settings.database
    connection: Any = connections[alias]
    if alias not in (databases or ()) or connection.vendor != "mysql":
        return []
    try:
        if connection.mysql_is_mariadb:
            return []
    except (DatabaseError, InterfaceError):  # not reachable: another check reports that
        return []
    return [
        Error(
            f"DATABASES[{alias!r}] is a MySQL server, which is not supported: chroniker is tested with MariaDB only.",
            hint="Use MariaDB or PostgreSQL. To use it without these tests, silence this check.",
            id="chroniker.E008",
        )
    ]


def _check_sqlite(alias: str) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if missing := missing_sqlite_options(connections[alias].settings_dict.get("OPTIONS") or {}):
        found.append(
            Warning(
                f"DATABASES[{alias!r}] is SQLite without {', '.join(missing)}: "
                "concurrent writes of several processes will fail with “database is locked”.",
                hint=f"Copy this into DATABASES[{alias!r}]: {SQLITE_OPTIONS}",
                id="chroniker.W003",
            )
        )
    if not settings.check_lock_file:
        found.append(
            Warning(
                "CHRONIKER_CHECK_LOCK_FILE is off on SQLite: no lease is renewed while a command's transaction writes.",
                hint="Leave it at None (or True): then kernel file locks show which runs are alive.",
                id="chroniker.W005",
            )
        )
    return found


def missing_sqlite_options(options: Mapping[str, Any]) -> list[str]:
    """Options that several processes on one SQLite file need, and that are missing."""
    commands = str(options.get("init_command") or "")
    busy = re.search(r"busy_timeout\s*=\s*(\d+)", commands, re.IGNORECASE)
    timeout = int(busy[1]) / 1000 if busy else options.get("timeout")
    present = {
        "transaction_mode IMMEDIATE": str(options.get("transaction_mode")).upper() in ("IMMEDIATE", "EXCLUSIVE"),
        "journal_mode WAL": bool(re.search(r"journal_mode\s*=\s*[\"']?wal\b", commands, re.IGNORECASE)),
        f"a timeout of {MIN_SQLITE_TIMEOUT_SECONDS} s or more": isinstance(timeout, int | float)
        and timeout >= MIN_SQLITE_TIMEOUT_SECONDS,
    }
    return [what for what, there in present.items() if not there]


def _check_lock_file_setting_for_server(alias: str) -> list[CheckMessage]:
    if getattr(django_settings, "CHRONIKER_CHECK_LOCK_FILE", None) is not True:  # a value of a wrong type is E006
        return []
    return [
        Warning(
            f"CHRONIKER_CHECK_LOCK_FILE is on, and DATABASES[{alias!r}] is a server: "
            "if a second host uses it, two instances of a job may run.",
            hint="Set it to False. If this host will always be the only one, silence this check.",
            id="chroniker.W004",
        )
    ]

"""The database of a project that used django-chroniker, before and after ``migrate``."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = ("1.0.24", "1.1.0")
TABLES = ("job_subscribers", "log", "jobdependency", "job")
MIGRATIONS = ("0001_initial", "0002_auto_20190415_0925", "0003_auto_20200822_2026", "0004_auto_20240328_2035")


def dump(version: str) -> Path:
    return FIXTURES / f"chroniker-{version}.json"


def users() -> list[User]:
    """The users in the dumps."""
    return [User.objects.create(pk=pk, username=name, is_staff=True) for pk, name in ((1, "ann"), (2, "bob"))]


@contextmanager
def upgraded(version: str) -> Iterator[None]:
    """The tables of django-chroniker with rows; then our migrations. Removed after the test."""
    call_command("migrate", "chroniker", "zero", verbosity=0)
    recorder = MigrationRecorder(connection)
    users()
    with connection.cursor() as cursor:
        for statement in (FIXTURES / f"tables-{version}-{connection.vendor}.sql").read_text().split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        for each in sorted(json.loads(dump(version).read_text()), key=lambda each: each["model"] != "chroniker.job"):
            _insert(cursor, each)
    for name in MIGRATIONS:
        recorder.record_applied("chroniker", name)
    try:
        call_command("migrate", verbosity=0)
        yield
    finally:
        with connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"DROP TABLE IF EXISTS chroniker_v1_{table}")
        for name in MIGRATIONS:
            recorder.record_unapplied("chroniker", name)
        call_command("migrate", verbosity=0)


def _insert(cursor: Any, each: dict[str, Any]) -> None:
    fields = dict(each["fields"])
    subscribers = fields.pop("subscribers", [])
    references = {"job": "job_id", "dependent": "dependent_id", "dependee": "dependee_id"}
    row: dict[str, Any] = {"id": each["pk"]}
    row |= {references.get(name) or name: _value(name, value) for name, value in fields.items()}
    table = each["model"].replace(".", "_")
    _execute(cursor, table, row)
    for user in subscribers:
        _execute(cursor, f"{table}_subscribers", {"job_id": each["pk"], "user_id": user})


def _execute(cursor: Any, table: str, row: dict[str, Any]) -> None:
    names = ", ".join(connection.ops.quote_name(name) for name in row)
    cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))


def _value(name: str, value: Any) -> Any:
    is_moment = isinstance(value, str) and (name.endswith("datetime") or name in ("next_run", "last_run"))
    return connection.ops.adapt_datetimefield_value(dt.datetime.fromisoformat(value)) if is_moment else value

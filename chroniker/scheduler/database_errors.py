"""Errors of the database, for people."""

from __future__ import annotations

from django.db import Error, OperationalError, ProgrammingError, connections

from chroniker.conf import settings
from chroniker.models import Job


def explain(error: Error) -> str:
    """The error's text, and a remedy where the tables are missing."""
    text = str(error).strip()
    if isinstance(error, (OperationalError, ProgrammingError)) and _tables_are_missing():
        return f"{text}. The tables of chroniker do not exist. Run: manage.py migrate"
    return text


def _tables_are_missing() -> bool:
    try:
        return Job._meta.db_table not in connections[settings.database].introspection.table_names()
    except Error:  # the database is down, which is another fault
        return False

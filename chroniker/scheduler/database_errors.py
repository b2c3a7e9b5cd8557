"""Texts about database errors, for people."""

from __future__ import annotations

from django.db import Error, OperationalError, ProgrammingError, connections
from django.db.migrations.loader import MigrationLoader

from chroniker.conf import settings
from chroniker.models import Job

MIGRATE_HINT = "Run: manage.py migrate"

#: Runs need the tables of these apps, if the apps are installed.
APPS_WITH_TABLES = ("chroniker", "chroniker_celery", "django_celery_results")


def explain_database_error(error: Error) -> str:
    """The error's text, and a remedy where tables or columns are missing."""
    text = str(error).strip()
    missing = missing_migrations_text(error)
    return f"{text}. {missing} {MIGRATE_HINT}" if missing else text


def missing_migrations_text(error: Exception) -> str:
    """The cause of this error in a sentence, if ``migrate`` removes it. Also empty while the database is down."""
    if not isinstance(error, (OperationalError, ProgrammingError)):
        return ""
    connection = connections[settings.database]
    try:
        if Job._meta.db_table not in connection.introspection.table_names():
            return "The tables of chroniker do not exist."
        loader = MigrationLoader(connection, ignore_no_migrations=True)
    except Error:
        return ""
    known = {key for key in loader.graph.nodes if key[0] in APPS_WITH_TABLES}
    apps = sorted({app for app, _name in known - loader.applied_migrations.keys()})
    return f"Not all migrations of {', '.join(apps)} are applied." if apps else ""

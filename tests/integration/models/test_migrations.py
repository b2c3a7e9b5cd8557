from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations import CreateModel, RunPython
from django.db.migrations.loader import MigrationLoader

from chroniker.models import Job
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db(transaction=True)

#: Tables of django-chroniker with few columns; its index names are unique in the whole schema.
ANCESTORS = (
    "CREATE TABLE chroniker_job (id integer NOT NULL PRIMARY KEY, name varchar(200) NOT NULL)",
    "CREATE TABLE chroniker_log (id integer NOT NULL PRIMARY KEY, job_id integer NOT NULL)",
    "CREATE TABLE chroniker_jobdependency (id integer NOT NULL PRIMARY KEY, dependent_id integer NOT NULL)",
    "CREATE INDEX chroniker_jobdependency_dependent_id_0b8d9a5c ON chroniker_jobdependency (dependent_id)",
    "INSERT INTO chroniker_job (id, name) VALUES (7, 'an old job')",
)
RENAMED_TABLES = ("chroniker_v1_job", "chroniker_v1_log", "chroniker_v1_jobdependency")


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def before_the_upgrade() -> Iterator[None]:
    """The database of a project that used django-chroniker: with its tables and without ours."""
    call_command("migrate", "chroniker", "zero", verbosity=0)
    execute(*ANCESTORS)
    yield
    execute(*(f"DROP TABLE IF EXISTS {table}" for table in RENAMED_TABLES))
    call_command("migrate", verbosity=0)


def test_an_upgrade_renames_the_tables_of_django_chroniker_without_changes(before_the_upgrade: None) -> None:
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name FROM chroniker_v1_job")
        assert cursor.fetchall() in ([(7, "an old job")], ((7, "an old job"),))
        assert {*RENAMED_TABLES} <= {*connection.introspection.table_names(cursor)}
    assert a_job() == Job.objects.get()


def test_the_migrations_match_the_models() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_the_first_migration_creates_each_table_with_all_its_columns_and_indexes() -> None:
    """On SQLite a later column or constraint means a new table: three times the work for a new database."""
    first = MigrationLoader(connection).get_migration("chroniker", "0100_initial")
    assert {type(operation) for operation in first.operations} == {RunPython, CreateModel}

"""Indexes that leave out rows without a value are used by the searches for these columns."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from chroniker.clock.database_clock import database_now
from chroniker.models import JobState
from chroniker.models.indexes import SparseIndex
from tests.support.factories import a_booked_job

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]

INDEXES = [index for index in JobState._meta.indexes if isinstance(index, SparseIndex)]


def definition(name: str) -> str:
    question = {
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE indexname = %s",
        "sqlite": "SELECT sql FROM sqlite_master WHERE name = %s",
        "mysql": "SELECT MAX(index_name) FROM information_schema.statistics WHERE index_name = %s",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(question, [name])
        return str(cursor.fetchone()[0])


def plan(rows: QuerySet[Any, Any]) -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        return str(rows.explain())


def test_some_models_have_sparse_indexes() -> None:
    assert INDEXES


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.name)
def test_rows_without_a_value_are_left_out_where_the_database_can(index: SparseIndex) -> None:
    found = definition(index.name)
    assert index.name in found
    assert found.endswith("IS NOT NULL)") or found.endswith("IS NOT NULL") or connection.vendor == "mysql"


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.name)
def test_searches_use_a_sparse_index(index: SparseIndex) -> None:
    a_booked_job()
    (column,) = index.fields
    for condition in ({"lte": database_now()}, {"isnull": False}):
        search = JobState.objects.filter(**{f"{column}__{how}": value for how, value in condition.items()})
        assert index.name in plan(search.order_by(column).values("pk"))

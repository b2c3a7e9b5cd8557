"""The result of a run in the tables of django-celery-results."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django_celery_results.models import TaskResult

from chroniker.executors import report_connections
from chroniker_celery.tasks import execute
from tests.celeryapp import app

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_new_result_is_stored_by_one_statement_and_a_second_one_replaces_it() -> None:
    task_id, backend = str(uuid4()), app.tasks[execute.name].backend
    with CaptureQueriesContext(connection) as queries:
        backend.mark_as_done(task_id, {"status": "succeeded"})
    backend.mark_as_failure(task_id, RuntimeError("it failed"))
    [stored] = TaskResult.objects.filter(task_id=task_id)
    assert stored.status == "FAILURE"
    assert "it failed" in stored.result
    assert len(queries) == 1, queries.captured_queries


@pytest.mark.database("postgres")
def test_a_worker_that_keeps_connections_stores_a_result_without_waiting_for_the_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings_seen: list[str] = []
    create = QuerySet.create

    def seen_create(self: QuerySet[Any], **values: Any) -> Any:
        with connections[self.db].cursor() as cursor:
            cursor.execute("SELECT current_setting('synchronous_commit')")
            settings_seen.extend(cursor.fetchone())
        return create(self, **values)

    monkeypatch.setattr(QuerySet, "create", seen_create)
    task_id = str(uuid4())
    connection.close()  # as in a worker: only a kept connection is open
    with report_connections.borrow_connection(), connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
    try:
        app.tasks[execute.name].backend.mark_as_done(task_id, {"status": "succeeded"})
    finally:
        report_connections.close_idle_connections()
    assert settings_seen == ["off"]
    assert TaskResult.objects.get(task_id=task_id).status == "SUCCESS"

"""The result of a run in the tables of django-celery-results."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_results.models import TaskResult

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

"""``make_unsaved_row`` does what the model's own constructor does, and ``make_loaded_row`` what ``only()`` does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import pytest
from django.db.models import Model

from chroniker.conf import settings
from chroniker.models import Job, JobState, Lease, Run
from chroniker.models.light_rows import make_loaded_row, make_unsaved_row
from tests.support.factories import a_job


def columns(row: Model) -> dict[str, Any]:
    found = {name: value for name, value in vars(row).items() if name != "_state"}
    return {name: type(value) if isinstance(value, UUID) else value for name, value in found.items()}


@pytest.mark.parametrize("model", [Run, Lease, JobState])
def test_a_row_has_the_defaults_of_its_model(model: type[Model]) -> None:
    made, expected = make_unsaved_row(model), model()
    assert columns(made) == columns(expected)
    assert vars(made._state) == vars(expected._state)
    assert made.pk is None or made.pk != make_unsaved_row(model).pk


def test_a_row_has_the_given_columns_and_values_of_its_own() -> None:
    first, second = make_unsaved_row(Run, job_id=1, token=2), make_unsaved_row(Run, job_id=1, token=3)
    assert (first.job_id, first.token, second.token) == (1, 2, 3)
    first.reason_args["n"] = 1
    assert second.reason_args == {} == make_unsaved_row(Run).reason_args


@pytest.mark.django_db
def test_a_loaded_row_reads_its_other_columns_when_they_are_used(
    django_assert_num_queries: Callable[[int], AbstractContextManager[Any]],
) -> None:
    job = a_job(name="night", args="--verbosity 2")
    row = make_loaded_row(Job, ["id", "name"], [job.pk, "night"], settings.database)
    with django_assert_num_queries(0):
        assert (row, row.pk, row.name) == (job, job.pk, "night")
    with django_assert_num_queries(1):
        assert row.args == "--verbosity 2"

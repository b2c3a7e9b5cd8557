"""``unsaved`` makes the rows that the model's own constructor makes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db.models import Model

from chroniker.models import JobState, Lease, Run
from chroniker.models.unsaved import unsaved


def columns(row: Model) -> dict[str, Any]:
    found = {name: value for name, value in vars(row).items() if name != "_state"}
    return {name: type(value) if isinstance(value, UUID) else value for name, value in found.items()}


@pytest.mark.parametrize("model", [Run, Lease, JobState])
def test_a_row_has_the_defaults_of_its_model(model: type[Model]) -> None:
    made, expected = unsaved(model), model()
    assert columns(made) == columns(expected)
    assert vars(made._state) == vars(expected._state)
    assert made.pk is None or made.pk != unsaved(model).pk


def test_a_row_has_the_given_columns_and_values_of_its_own() -> None:
    first, second = unsaved(Run, job_id=1, token=2), unsaved(Run, job_id=1, token=3)
    assert (first.job_id, first.token, second.token) == (1, 2, 3)
    first.reason_args["n"] = 1
    assert second.reason_args == {} == unsaved(Run).reason_args

"""States with their jobs as light rows: thousands of model objects take most of the time of a page that reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import QuerySet

from chroniker.conf import settings
from chroniker.models import Job, JobState
from chroniker.models.light_rows import loaded_row


def light_states(
    states: QuerySet[JobState], most: int, columns: Sequence[str], job_columns: Sequence[str], more: Sequence[str] = ()
) -> Iterator[tuple[JobState, tuple[Any, ...]]]:
    """The first ``most`` of these states, each with its job and the values of ``more``. One statement.

    State and job have the columns that are named, by ``attname``. Do not use others: each takes a statement.
    """
    names = [*columns, *(f"job__{name}" for name in job_columns), *more]
    of_job, others, using = len(columns), len(columns) + len(job_columns), settings.database
    for row in states.values_list(*names)[:most]:
        state = loaded_row(JobState, columns, row[:of_job], using)
        state._state.fields_cache["job"] = loaded_row(Job, job_columns, row[of_job:others], using)
        yield state, row[others:]

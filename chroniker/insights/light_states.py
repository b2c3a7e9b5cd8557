"""States with their jobs as light rows: creating thousands of model objects would take most of a page's time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import QuerySet

from chroniker.conf import settings
from chroniker.models import Job, JobState
from chroniker.models.light_rows import make_loaded_row


def read_partial_states(
    states: QuerySet[JobState],
    limit: int,
    columns: Sequence[str],
    job_columns: Sequence[str],
    more_columns: Sequence[str] = (),
) -> Iterator[tuple[JobState, tuple[Any, ...]]]:
    """The first ``limit`` of these states, each with its job and the values of ``more_columns``. One statement.

    State and job have only the named columns (by ``attname``). Any other column takes a statement when it is used.
    """
    names = [*columns, *(f"job__{name}" for name in job_columns), *more_columns]
    of_job, others, using = len(columns), len(columns) + len(job_columns), settings.database
    for row in states.values_list(*names)[:limit]:
        state = make_loaded_row(JobState, columns, row[:of_job], using)
        state._state.fields_cache["job"] = make_loaded_row(Job, job_columns, row[of_job:others], using)
        yield state, row[others:]

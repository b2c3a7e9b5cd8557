"""Rows of models without the cost of ``Model.__init__`` and ``Model.from_db``, for thousands of jobs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from django.db.models import NOT_PROVIDED, Model
from django.db.models.base import ModelState

from chroniker.conf import settings
from chroniker.models.group import Group
from chroniker.models.job import Job
from chroniker.models.job_state import JobState

M = TypeVar("M", bound=Model)

#: Columns of JobState that no claim needs. As in Django, a column that is not loaded is read when it is used.
_COLUMNS_NO_CLAIM_NEEDS = frozenset({
    "recent_seconds", "seconds_total", "last_seconds", "p50", "p95", "bad_permille", "n_succeeded", "n_failed",
    "n_timed_out", "n_stopped", "n_lost", "raised_from", "raised_to", "fingerprint_since", "last_fingerprint",
    "last_success_at", "last_success_until", "done_until", "expected_since", "resumed_at",
})  # fmt: skip
_STATE_COLUMNS = [
    field.attname for field in JobState._meta.concrete_fields if field.attname not in _COLUMNS_NO_CLAIM_NEEDS
]
_JOB_COLUMNS = [field.attname for field in Job._meta.concrete_fields]
_GROUP_COLUMNS = [field.attname for field in Group._meta.concrete_fields]
#: For ``values_list`` of JobState; ``make_job_states`` takes its rows.
STATE_JOB_AND_GROUP_COLUMNS = (
    *_STATE_COLUMNS,
    *(f"job__{name}" for name in _JOB_COLUMNS),
    *(f"job__group__{name}" for name in _GROUP_COLUMNS),
)


def make_unsaved_row(model: type[M], **columns: Any) -> M:
    """Like ``model(**columns)``, in a fifth of the time. Columns are named by ``attname``; the others get their
    defaults.

    Sends neither ``pre_init`` nor ``post_init``, sets no related objects, and does not refuse unknown names.
    """
    constants, made = _default_values(model)
    row = model.__new__(model)
    values = row.__dict__
    values["_state"] = ModelState()
    values.update(constants)
    for name, make in made:
        if name not in columns:
            values[name] = make()
    values.update(columns)
    return row


@functools.cache
def _default_values(model: type[Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """The constant defaults by column, and the columns whose default a function makes for each row."""
    constants, made = {}, []
    for field in model._meta.concrete_fields:
        if field.default is not NOT_PROVIDED and callable(field.default):
            made.append((field.attname, field.default))
        else:
            constants[field.attname] = field.get_default()
    return constants, made


def make_loaded_row(model: type[M], names: Sequence[str], values: Iterable[Any], using: str) -> M:
    """Like ``model.from_db``, in a tenth of the time: the columns that are not named are deferred.

    Sends neither ``pre_init`` nor ``post_init``.
    """
    row = model.__new__(model)
    state = ModelState()
    state.adding, state.db = False, using
    row.__dict__.update(zip(names, values, strict=False), _state=state)
    return row


def make_job_states(rows: Iterable[Sequence[Any]], extra_columns: Sequence[str] = ()) -> list[JobState]:
    """The states of these rows of ``STATE_JOB_AND_GROUP_COLUMNS``, each with its job and the job's group.

    ``extra_columns``: names of further columns of the state.
    """
    using, job_at, group_at, end = (
        settings.database,
        len(_STATE_COLUMNS),
        len(_STATE_COLUMNS) + len(_JOB_COLUMNS),
        len(STATE_JOB_AND_GROUP_COLUMNS),
    )
    found = []
    for row in rows:
        state = make_loaded_row(JobState, _STATE_COLUMNS, row, using)
        job = make_loaded_row(Job, _JOB_COLUMNS, row[job_at:group_at], using)
        state._state.fields_cache["job"], job._state.fields_cache["state"] = job, state
        if job.group_id is not None:
            job._state.fields_cache["group"] = make_loaded_row(Group, _GROUP_COLUMNS, row[group_at:end], using)
        state.__dict__.update(zip(extra_columns, row[end:], strict=True))
        found.append(state)
    return found

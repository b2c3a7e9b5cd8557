"""The environment variables that describe a run to its command: written by the worker, read by `current_run`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from uuid import UUID

from chroniker.process.run_spec import RUN_ID_VARIABLE, RUN_TOKEN_VARIABLE


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """A run, as its command sees it. Times are in UTC."""

    job_id: int
    job_name: str
    timezone: str  #: of the job's schedule
    run_id: UUID
    token: int
    attempt: int  #: 1, 2, … within its chain of retries
    trigger: str  #: of the first attempt of its chain: SCHEDULE, MANUAL or BACKFILL
    scheduled_for: dt.datetime | None  #: the first scheduled time that it is for
    covered_until: dt.datetime | None  #: the last one; it differs only where several became one run
    interval_start: dt.datetime | None = None  #: the scheduled time before ``scheduled_for``. None: none is known
    last_success: dt.datetime | None = None  #: ``covered_until`` of the last success of the schedule. None: none
    cause_run_id: UUID | None = None  #: the run whose end started it. None: no run started it
    cause_job: str | None = None  #: the name of that run's job. None also if that run was deleted

    def to_environment(self) -> dict[str, str]:
        """The variables. One without a value is absent."""
        values = {variable: getattr(self, name) for name, variable in RUN_VARIABLES.items()}
        return {variable: _variable_text(value) for variable, value in values.items() if value is not None}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> CurrentRun | None:
        """The run of this environment. ``None`` if a required variable is absent or has no valid value."""
        given = {name: environment.get(variable) for name, variable in RUN_VARIABLES.items()}
        try:
            read = {name: _VALUE_PARSERS.get(name, str)(text) for name, text in given.items() if text is not None}
            return cls(**{"scheduled_for": None, "covered_until": None, **read})  # type: ignore[arg-type]
        except (ValueError, TypeError):
            return None


#: The variable of each attribute.
RUN_VARIABLES = {
    "job_id": "CHRONIKER_JOB_ID",
    "job_name": "CHRONIKER_JOB_NAME",
    "timezone": "CHRONIKER_TIMEZONE",
    "run_id": RUN_ID_VARIABLE,
    "token": RUN_TOKEN_VARIABLE,
    "attempt": "CHRONIKER_ATTEMPT",
    "trigger": "CHRONIKER_TRIGGER",
    "scheduled_for": "CHRONIKER_SCHEDULED_FOR",
    "covered_until": "CHRONIKER_COVERED_UNTIL",
    "interval_start": "CHRONIKER_INTERVAL_START",
    "last_success": "CHRONIKER_LAST_SUCCESS",
    "cause_run_id": "CHRONIKER_CAUSE_RUN_ID",
    "cause_job": "CHRONIKER_CAUSE_JOB",
}

_VALUE_PARSERS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("job_id", "token", "attempt"), int),
    **dict.fromkeys(("run_id", "cause_run_id"), UUID),
    **dict.fromkeys(("scheduled_for", "covered_until", "interval_start", "last_success"), dt.datetime.fromisoformat),
}


def replace_variables(environment: MutableMapping[str, str], variables: Mapping[str, str]) -> None:
    """Set these variables and remove the others: the process that starts a run may be part of another run."""
    for variable in RUN_VARIABLES.values():
        environment.pop(variable, None)
    environment.update(variables)


def _variable_text(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    return str(value).replace("\0", "")  # a variable cannot contain NUL

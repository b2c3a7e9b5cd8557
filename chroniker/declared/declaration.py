"""The result of ``chroniker.job(...)``. Imports no models and validates nothing; a system check validates it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, TypeVar

CommandClass = TypeVar("CommandClass", bound=type)

#: Attribute of a decorated command with its declarations. Subclasses do not inherit it.
DECLARATIONS_ATTRIBUTE = "chroniker_jobs"


class JobFields(TypedDict, total=False):
    """The fields that can be declared: editable ones of a job, ``after``, ``triggered_by``, ``channels``, ``tags``."""

    name: str
    command: str
    args: str | Sequence[str]
    raw_command: str
    environment: str
    secrets: str
    working_directory: str
    enabled: bool
    frequency: str
    cron: str
    params: str
    run_at: dt.datetime | None
    starts_at: dt.datetime | None
    ends_at: dt.datetime | None
    timezone: str
    dst_gap: str
    dst_fold: str
    jitter_seconds: int
    calendar: str | None
    overlap: str
    misfire_grace_seconds: int | None
    catch_up: str
    hold_on_failure: bool
    start_deadline_seconds: int | None
    timeout_seconds: int | None
    max_retries: int
    retry_backoff_seconds: int
    retry_on_lost: bool
    fail_on_stderr: bool
    group: str | None
    executor: str
    queue: str
    priority: int | None
    hostname: str
    log_stdout: bool
    log_stderr: bool
    log_max_bytes: int | None
    maximum_log_entries: int
    email_errors_to_subscribers: bool
    email_success_to_subscribers: bool
    owner: str
    runbook_url: str
    alert_start_seconds: int | None
    alert_run_seconds: int | None
    alert_done_by: str
    alert_failures: int | None
    alert_repeat_seconds: int | None
    is_monitor: bool
    monitor_url: str
    monitor_error_template: str
    monitor_description: str
    after: Sequence[str]
    triggered_by: Mapping[str, str]
    channels: Sequence[str]
    tags: Sequence[str]


class Declaration:
    """One declared job."""

    def __init__(self, fields: Mapping[str, Any], written_in: str) -> None:
        self.fields = dict(fields)
        self.written_in = written_in  #: file and line

    def __call__(self, command: CommandClass) -> CommandClass:
        """Decorates the class of a management command."""
        # Decorators are applied from bottom to top, but read from top to bottom.
        setattr(command, DECLARATIONS_ATTRIBUTE, (self, *declarations_of_class(command)))
        return command


def declarations_of_class(command: type) -> tuple[Declaration, ...]:
    """The declarations of this class, without those of its base classes."""
    found: tuple[Declaration, ...] = command.__dict__.get(DECLARATIONS_ATTRIBUTE, ())
    return found

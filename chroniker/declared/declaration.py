"""What ``chroniker.job(...)`` returns. Knows no models, and judges nothing: a system check does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, TypeVar

C = TypeVar("C", bound=type)

#: Where a decorated command keeps its declarations. Looked up in the class itself: a subclass declares its own.
ATTRIBUTE = "chroniker_jobs"


class JobFields(TypedDict, total=False):
    """What can be declared: the fields of a job that people can edit, and ``after``."""

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
    is_monitor: bool
    monitor_url: str
    monitor_error_template: str
    monitor_description: str
    after: Sequence[str]


class Declaration:
    """One job, as the code has it."""

    def __init__(self, fields: Mapping[str, Any], written_in: str) -> None:
        self.fields = dict(fields)
        self.written_in = written_in  #: file and line

    def __call__(self, command: C) -> C:
        """As a decorator of a management command's class."""
        # Decorators apply from the lowest up; people read them from the top down.
        setattr(command, ATTRIBUTE, (self, *declarations_on(command)))
        return command


def declarations_on(command: type) -> tuple[Declaration, ...]:
    """The declarations on this very class."""
    found: tuple[Declaration, ...] = command.__dict__.get(ATTRIBUTE, ())
    return found

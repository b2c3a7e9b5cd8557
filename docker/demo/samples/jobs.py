"""The sample jobs and the expected result of each. ``seed`` creates them; ``report_runs`` compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chroniker.models import Status

DAILY = "30 4 * * *"


@dataclass(frozen=True)
class Sample:
    name: str
    fields: Mapping[str, Any]
    ends: Status = Status.SUCCEEDED
    lines: int = 1
    """Lines of output, at least."""
    parts: int | None = None
    """Parts of its progress."""
    waits_for: tuple[str, ...] = ()
    started_by: str = ""
    """The job whose success starts it. It has no schedule."""
    at_once: bool = True
    """Run it when the demo starts. Otherwise only its schedule starts it."""
    hurried: Mapping[str, Any] = field(default_factory=lambda: {"cron": DAILY})
    """Other fields for the check, where one run is enough."""


SAMPLES = (
    Sample(
        "Import the catalogue",
        {"command": "import_catalogue", "args": "--parts 77 --seconds 60", "cron": "*/3 * * * *"},
        lines=8,
        parts=77,
        hurried={"args": "--parts 77 --seconds 20", "cron": DAILY},
    ),
    Sample(
        "Write to all outputs",
        {"command": "write_output", "cron": "*/2 * * * *"},
        lines=26,
    ),
    Sample(
        "Charge a card that is declined",
        {"command": "charge_card", "cron": "*/4 * * * *", "max_retries": 1, "retry_backoff_seconds": 20},
        ends=Status.FAILED,
        lines=3,
    ),
    Sample(
        "Wait for a bank that never answers",
        {"command": "wait_for_bank", "cron": "*/5 * * * *", "timeout_seconds": 6},
        ends=Status.TIMED_OUT,
        lines=6,
    ),
    Sample(
        "Collect the sales",
        {"command": "collect_sales", "cron": "*/2 * * * *"},
        lines=4,
        parts=3,
    ),
    Sample(
        "Report the sales, once they are collected",
        {"command": "report_sales", "cron": "*/2 * * * *"},
        lines=3,
        waits_for=("Collect the sales",),
    ),
    Sample(
        "Send the report, when it is written",
        {"command": "print_time", "frequency": "MANUAL"},
        started_by="Report the sales, once they are collected",
        at_once=False,
        hurried={},
    ),
    Sample(
        "Disk space (a raw command)",
        {"raw_command": "df -h /", "cron": "*/2 * * * *"},
        lines=2,
    ),
    Sample(
        "Print the time, every ten seconds",
        {"command": "print_time", "cron": "*/10 * * * * *", "maximum_log_entries": 100},
        at_once=False,
        hurried={},
    ),
)

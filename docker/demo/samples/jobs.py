"""The sample jobs, and how a run of each is supposed to end. ``seed`` writes them down; ``report_runs`` compares."""

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
    """It writes this many lines at least."""
    parts: int | None = None
    """It reports progress up to this many parts."""
    waits_for: tuple[str, ...] = ()
    at_once: bool = True
    """It is run as soon as the demo starts; if not, its schedule alone starts it."""
    hurried: Mapping[str, Any] = field(default_factory=lambda: {"cron": DAILY})
    """Fields that differ where nobody watches: one run tells all there is to tell."""


SAMPLES = (
    Sample(
        "Import the catalogue",
        {"command": "import_catalogue", "args": "--parts 77 --seconds 60", "cron": "*/3 * * * *"},
        lines=8,
        parts=77,
        hurried={"args": "--parts 77 --seconds 20", "cron": DAILY},
    ),
    Sample(
        "Chat on all channels",
        {"command": "chat", "cron": "*/2 * * * *"},
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
        "Disk space (a raw command)",
        {"raw_command": "df -h /", "cron": "*/2 * * * *"},
        lines=2,
    ),
    Sample(
        "Tell the time, every ten seconds",
        {"command": "tell_time", "cron": "*/10 * * * * *", "maximum_log_entries": 100},
        at_once=False,
        hurried={},
    ),
)

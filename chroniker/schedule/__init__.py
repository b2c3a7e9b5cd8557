"""Schedules: cron expressions, recurrence rules and one-time schedules. Pure functions of text and datetimes.

Belongs here: everything that follows from a schedule alone. Does not belong here: models, the present time, and rules
whether a job may run (``eligibility``).
"""

from chroniker.schedule.blackouts import ClosedTime, closed_at, closed_until, last_open
from chroniker.schedule.description import describe
from chroniker.schedule.forecast import dst_notes, preview
from chroniker.schedule.schedule_warnings import warnings
from chroniker.schedule.spec import DstFold, DstGap, Frequency, Spec, jitter
from chroniker.schedule.timeline import latest_until, next_after, validate

__all__ = [
    "ClosedTime",
    "DstFold",
    "DstGap",
    "Frequency",
    "Spec",
    "closed_at",
    "closed_until",
    "describe",
    "dst_notes",
    "jitter",
    "last_open",
    "latest_until",
    "next_after",
    "preview",
    "validate",
    "warnings",
]

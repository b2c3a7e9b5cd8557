"""Schedules: cron expressions, recurrence rules and one-time schedules. Pure functions of text and datetimes.

Belongs here: everything that follows from a schedule alone. Does not belong here: models, the present time, and rules
whether a job may run (``eligibility``).
"""

from chroniker.schedule.blackouts import ClosedTime, closed_span_from, closed_time_at, last_open_instant
from chroniker.schedule.description import describe_schedule
from chroniker.schedule.forecast import clock_change_notes, next_instants
from chroniker.schedule.schedule_warnings import find_schedule_warnings
from chroniker.schedule.spec import DstFold, DstGap, Frequency, ScheduleSpec, jitter
from chroniker.schedule.timeline import latest_instant_until, next_instant_after, validate_schedule

__all__ = [
    "ClosedTime",
    "DstFold",
    "DstGap",
    "Frequency",
    "ScheduleSpec",
    "clock_change_notes",
    "closed_span_from",
    "closed_time_at",
    "describe_schedule",
    "find_schedule_warnings",
    "jitter",
    "last_open_instant",
    "latest_instant_until",
    "next_instant_after",
    "next_instants",
    "validate_schedule",
]

"""The tables, one file per model.

Belongs here: fields, constraints, querysets, and validation of a job's fields. Does not belong here: changes of a run's
state (``lifecycle``), and rules whether a job may run (``eligibility``).
"""

from chroniker.models.alarm import Alarm
from chroniker.models.alert import Alert, AlertKind
from chroniker.models.alert_mute import AlertMute
from chroniker.models.audit import Action, AuditEntry
from chroniker.models.backfill import Backfill, BackfillFailurePolicy, InstantSelection
from chroniker.models.calendar import Blackout, Calendar
from chroniker.models.channel import Channel, FailingChannel
from chroniker.models.channel_kind import ChannelKind
from chroniker.models.dependency import JobDependency
from chroniker.models.group import Group, Switch
from chroniker.models.guarantee import Guarantee, GuaranteeHour, GuaranteeProgress
from chroniker.models.host import EVERY_HOST, NO_QUEUE_PLACEHOLDER, Host, HostService
from chroniker.models.job import Job
from chroniker.models.job_state import JobState
from chroniker.models.lease import Lease
from chroniker.models.log import EventKind, LogChunk, RunEvent, Stream
from chroniker.models.monitor import Monitor
from chroniker.models.outbox import Outbox
from chroniker.models.run import Run
from chroniker.models.run_hour import START_DELAY_BOUNDS, CountedRuns, RunCount, RunHour, RunTotal
from chroniker.models.run_status import (
    ALLOWED_TRANSITIONS,
    FAILURE_STATUSES,
    FINAL_STATUSES,
    OPEN_STATUSES,
    SUPERVISOR_REPORTED_STATUSES,
    CatchUp,
    Overlap,
    Status,
    Trigger,
)
from chroniker.models.tag import Tag
from chroniker.models.ticker import FleetWork, Ticker, TickMinute
from chroniker.models.trigger import Activation, JobTrigger, TriggerOn

__all__ = [
    "ALLOWED_TRANSITIONS",
    "EVERY_HOST",
    "FAILURE_STATUSES",
    "FINAL_STATUSES",
    "NO_QUEUE_PLACEHOLDER",
    "OPEN_STATUSES",
    "START_DELAY_BOUNDS",
    "SUPERVISOR_REPORTED_STATUSES",
    "Action",
    "Activation",
    "Alarm",
    "Alert",
    "AlertKind",
    "AlertMute",
    "AuditEntry",
    "Backfill",
    "BackfillFailurePolicy",
    "Blackout",
    "Calendar",
    "CatchUp",
    "Channel",
    "ChannelKind",
    "CountedRuns",
    "EventKind",
    "FailingChannel",
    "FleetWork",
    "Group",
    "Guarantee",
    "GuaranteeHour",
    "GuaranteeProgress",
    "Host",
    "HostService",
    "InstantSelection",
    "Job",
    "JobDependency",
    "JobState",
    "JobTrigger",
    "Lease",
    "LogChunk",
    "Monitor",
    "Outbox",
    "Overlap",
    "Run",
    "RunCount",
    "RunEvent",
    "RunHour",
    "RunTotal",
    "Status",
    "Stream",
    "Switch",
    "Tag",
    "TickMinute",
    "Ticker",
    "Trigger",
    "TriggerOn",
]

"""The Django admin of this app: one folder per group of pages.

Belongs here: admin classes, forms, and the contents of pages. Does not belong here: rules about runs and jobs. Buttons
and actions call the same functions as commands do; no code here writes a run, a lease or a job state.
"""

from chroniker.admin.channels.channel_admin import ChannelAdmin
from chroniker.admin.jobs.job_admin import JobAdmin
from chroniker.admin.monitors.monitor_admin import MonitorAdmin
from chroniker.admin.operations.alert_admin import AlertAdmin, AlertMuteAdmin
from chroniker.admin.operations.host_admin import HostAdmin
from chroniker.admin.operations.outbox_admin import OutboxAdmin
from chroniker.admin.runs.run_admin import RunAdmin
from chroniker.admin.scheduling.calendar_admin import CalendarAdmin
from chroniker.admin.scheduling.group_admin import GroupAdmin

__all__ = [
    "AlertAdmin",
    "AlertMuteAdmin",
    "CalendarAdmin",
    "ChannelAdmin",
    "GroupAdmin",
    "HostAdmin",
    "JobAdmin",
    "MonitorAdmin",
    "OutboxAdmin",
    "RunAdmin",
]

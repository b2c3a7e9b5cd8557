"""The admin: it reads; its buttons and actions call the same functions as everyone."""

from chroniker.admin.calendar import CalendarAdmin
from chroniker.admin.group import GroupAdmin
from chroniker.admin.host import HostAdmin
from chroniker.admin.job import JobAdmin
from chroniker.admin.monitor import MonitorAdmin
from chroniker.admin.outbox import OutboxAdmin
from chroniker.admin.run import RunAdmin

__all__ = ["CalendarAdmin", "GroupAdmin", "HostAdmin", "JobAdmin", "MonitorAdmin", "OutboxAdmin", "RunAdmin"]

"""The admin: it reads; its buttons and actions call the same functions as everyone."""

from chroniker.admin.group import GroupAdmin
from chroniker.admin.host import HostAdmin
from chroniker.admin.job import JobAdmin

__all__ = ["GroupAdmin", "HostAdmin", "JobAdmin", "MonitorAdmin", "OutboxAdmin", "RunAdmin"]

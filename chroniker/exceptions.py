"""All exceptions of the project. The docstring is the default message."""

from __future__ import annotations

#: For ``except``: what foreign code may raise while it is imported or called. ``SystemExit`` would end this process.
FOREIGN_CODE_ERRORS = (Exception, SystemExit)


class ChronikerError(Exception):
    """Base class of chroniker's exceptions."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class ScheduleError(ChronikerError):
    """The schedule is not valid."""

    def __init__(self, field: str, message: str = "") -> None:
        super().__init__(message)
        self.field = field


class CommandRefused(ChronikerError):
    """Jobs may not run this command here."""


class MonitorError(ChronikerError):
    """The monitor's question is not valid."""


class CommandLoadError(ChronikerError):
    """The command's code cannot be loaded."""


class ClaimRefused(ChronikerError):
    """The job cannot be claimed now."""


class BackfillRefused(ChronikerError):
    """The backfill cannot be made."""


class EventRefused(ChronikerError):
    """This event cannot start the job."""


class DeletionRefused(ChronikerError):
    """A job with an open run cannot be deleted: stop the run first, or delete the job in the admin, which waits."""


class LeaseLost(ChronikerError):
    """This run no longer holds its lease: another instance may be running. Nothing was committed."""


class ExecutorError(ChronikerError):
    """The executor did not accept the runs."""


class ImportRefused(ChronikerError):
    """The file or table cannot be imported."""


class MessageUndeliverable(ChronikerError):
    """This message cannot be sent, now or later."""


class MessageOutdated(MessageUndeliverable):
    """This message is too old to be sent."""


class TickStartError(ChronikerError):
    """The tick cannot be started."""

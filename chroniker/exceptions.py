"""All exceptions of the project. The docstring is the default message."""

from __future__ import annotations


class ChronikerError(Exception):
    """Something in chroniker went wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class ScheduleError(ChronikerError):
    """The schedule is not valid."""

    def __init__(self, field: str, message: str = "") -> None:
        super().__init__(message)
        self.field = field


class CommandRefused(ChronikerError):
    """This command may not be run by a scheduler here."""


class MonitorError(ChronikerError):
    """What a monitor is to look at is not right."""


class CommandUnreadable(ChronikerError):
    """The command's code cannot be loaded here."""


class ClaimRefused(ChronikerError):
    """The job cannot be claimed now."""


class LeaseLost(ChronikerError):
    """This run no longer holds its lease: another instance may be running. Nothing was committed."""


class ExecutorError(ChronikerError):
    """The executor could not take the runs."""


class ImportRefused(ChronikerError):
    """What was given cannot be imported."""


class Undeliverable(ChronikerError):
    """This message cannot be sent, now or later."""


class CannotStart(ChronikerError):
    """The tick cannot be started: something that it needs is not there."""

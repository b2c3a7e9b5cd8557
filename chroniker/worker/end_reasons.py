"""The reasons for a run's end that a supervisor can report."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from django.utils.translation import override

from chroniker.reasons import Code, Reason

#: The meaning of exit statuses in shells; programs may use them differently.
_SPECIAL = {126: Code.NOT_EXECUTABLE, 127: Code.NOT_FOUND}
_SIGNALLED = 128
_KILLED = {_SIGNALLED + number for number in (signal.SIGINT, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)}

#: Reasons to kill a tree at once.
LATE, UNKNOWN_LEASE = Code.LEASE_LATE, Code.LEASE_UNKNOWN

#: Reasons to replace a keeper.
DIED, SILENT, TOO_SLOW = Code.KEEPER_DIED, Code.KEEPER_SILENT, Code.KEEPER_SLOW


def because(why: str) -> Reason:
    """The reason for one of the codes above; for any other text, that text."""
    return Reason.of(Code(why)) if why in Code.values else Reason.of(Code.OTHER, text=why)


def in_english(reason: Reason) -> str:
    """The reason in English, for the run's log."""
    with override("en"):
        return str(reason)


def of_exit(exit_code: int | None) -> Reason:
    """The reason for an exit status. Negative: the signal that killed it; ``None``: unknown."""
    if exit_code is None:
        return Reason.of(Code.EXIT_UNKNOWN)
    if exit_code in _SPECIAL:
        return Reason.of(_SPECIAL[exit_code])
    if exit_code in _KILLED:
        return Reason.of(Code.EXIT_SIGNAL, status=exit_code, signal=signal.Signals(exit_code - _SIGNALLED).name)
    if exit_code >= 0:
        return Reason.of(Code.EXIT, status=exit_code)
    try:
        return Reason.of(Code.SIGNAL, signal=signal.Signals(-exit_code).name)
    except ValueError:
        return Reason.of(Code.SIGNAL_NUMBER, number=-exit_code)


def last_stderr_line(line: str) -> Reason:
    return Reason.of(Code.LAST_LINE, line=line)


def too_long(seconds: float | None) -> Reason:
    return Reason.of(Code.TIMEOUT, seconds=seconds or 0)


def stop_requested(whom: str) -> Reason:
    return Reason.of(Code.STOP, who=whom)


def stopped_before_start() -> Reason:
    return Reason.of(Code.STOPPED_EARLY)


def not_started(error: Exception) -> Reason:
    return Reason.of(Code.NOT_STARTED, error=str(error))


def shut_down(host: str) -> Reason:
    return Reason.of(Code.WORKER_SHUTDOWN, host=host)


def worker_ended(host: str) -> Reason:
    return Reason.of(Code.WORKER_ENDED, host=host)


def survived(names: Sequence[str]) -> Reason:
    return Reason.of(Code.SURVIVORS, names=list(names))


def result_not_saved(*, late: bool) -> Reason:
    """The reason why the database does not show the outcome."""
    return Reason.of(Code.REPORT_LATE if late else Code.NOT_SAVED)

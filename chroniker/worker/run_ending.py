"""Derives the outcome of a run, and the remarks in its log, from a supervisor's observations. Pure."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import override

from chroniker.process.process_tree import Survivor
from chroniker.process.run_spec import RunOutcome, RunSpec
from chroniker.reasons import Code, Reason

#: The meaning of exit statuses in shells; programs may use them differently.
_SPECIAL = {126: Code.NOT_EXECUTABLE, 127: Code.NOT_FOUND}
_SIGNALLED = 128
_KILLED = {_SIGNALLED + number for number in (signal.SIGINT, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)}

_REPORTED = {"exited", "timed_out", "stopped"}
_STOPPED = {"timed_out": "Timed out", "stopped": "Stopped", "interrupted": "Stopped, because its worker shuts down"}


@dataclass(frozen=True, slots=True)
class Observations:
    """The facts that are known when the tree is dead."""

    host: str
    keeper: Mapping[str, Any]  #: the keeper's last report; empty: none
    keeper_error: str = ""
    lost: str = ""  #: why the lease was lost and the tree killed
    replaced: str = ""  #: why the keeper was replaced by a sweep
    survivors: Sequence[Survivor] = ()  #: processes that could not be killed
    stopped_by: str = ""
    interrupted: bool = False  #: the stop was for a shutdown of the worker
    wrote_stderr: bool = False
    last_stderr_line: str = ""
    progress: tuple[int, int] | None = None

    @property
    def how(self) -> str:
        reported: str = self.keeper.get("how", "exited")
        if self.lost or reported not in _REPORTED:
            return "lost"
        return "interrupted" if reported == "stopped" and self.interrupted else reported


def outcome(spec: RunSpec, seen: Observations) -> RunOutcome:
    return RunOutcome(
        how=seen.how,
        exit_code=seen.keeper.get("exit_code"),
        reason=Reason.joined(*_find_reasons(spec, seen)),
        wrote_stderr=seen.wrote_stderr,
        progress=seen.progress,
        survivors=tuple(seen.survivors),
        error_line=seen.last_stderr_line,
        cpu_seconds=seen.keeper.get("cpu_seconds"),
        max_rss_kb=seen.keeper.get("max_rss_kb"),
    )


def _find_reasons(spec: RunSpec, seen: Observations) -> Iterator[Reason]:
    match seen.how:
        case "timed_out":
            yield Reason.of(Code.TIMEOUT, seconds=spec.timeout or 0)
        case "stopped":
            yield Reason.of(Code.STOP, who=seen.stopped_by)
        case "interrupted":
            yield Reason.of(Code.WORKER_SHUTDOWN, host=seen.host)
    if seen.how == "lost":
        yield reason_of_code(seen.lost or Code.LEASE_LATE)
    else:
        yield reason_of_exit(exit_code := seen.keeper.get("exit_code"))
        if seen.how == "exited" and exit_code and seen.last_stderr_line:
            yield Reason.of(Code.LAST_LINE, line=seen.last_stderr_line)
    if seen.replaced:
        yield reason_of_code(seen.replaced)
    if seen.survivors:
        yield Reason.of(Code.SURVIVORS, names=[each.name for each in seen.survivors])


def remarks(spec: RunSpec, seen: Observations) -> Iterator[str]:
    """The remarks in the log about an end that the command did not choose."""
    how, killed = seen.how, seen.keeper.get("killed", 0)
    listed = f"{killed} ({'; '.join(seen.keeper.get('names', []))})"
    if how == "exited" and killed:
        yield f"Processes that the command left behind were killed: {listed}."
    elif how in _STOPPED:
        rest = f"SIGKILL to those left after {spec.grace:g} seconds: {listed}" if killed else "all ended"
        yield f"{_STOPPED[how]}: SIGTERM to the whole tree; {rest}."
    elif how == "lost":
        yield f"Killed: {in_english(reason_of_code(seen.lost or Code.LEASE_LATE))}. The end may be missing."
    if seen.replaced:
        yield f"{in_english(reason_of_code(seen.replaced)).capitalize()}. {seen.keeper_error}".strip()


def reason_of_code(why: str) -> Reason:
    """The reason for one of the codes above; for any other text, that text."""
    return Reason.of(Code(why)) if why in Code.values else Reason.of(Code.OTHER, text=why)


def in_english(reason: Reason) -> str:
    """The reason in English, for the run's log."""
    with override("en"):
        return str(reason)


def reason_of_exit(exit_code: int | None) -> Reason:
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

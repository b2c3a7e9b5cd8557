"""Derives the outcome of a run, and the remarks in its log, from a supervisor's observations. Pure functions."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import override

from chroniker.process.process_tree import SurvivingProcess
from chroniker.process.run_spec import RunOutcome, RunSpec
from chroniker.reasons import Code, Reason

#: The meaning of exit statuses in shells; programs may use them differently.
_SHELL_STATUS_REASONS = {126: Code.NOT_EXECUTABLE, 127: Code.NOT_FOUND}
_SIGNAL_STATUS_BASE = 128
_EXIT_STATUSES_OF_UNIX_SIGNALS = {
    _SIGNAL_STATUS_BASE + number for number in (signal.SIGINT, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)
}

_ENDINGS_OF_RUNS_NOT_LOST = {"exited", "timed_out", "stopped"}
_STOP_TEXTS = {"timed_out": "Timed out", "stopped": "Stopped", "interrupted": "Stopped, because its worker shuts down"}


@dataclass(frozen=True, slots=True)
class RunObservations:
    """The facts that are known when the tree is dead."""

    host: str
    keeper_report: Mapping[str, Any]  #: the last one; empty: none
    keeper_error: str = ""
    lease_lost_because: str = ""  #: why the lease was lost and the tree killed
    keeper_replaced_because: str = ""  #: if a sweep replaced it
    survivors: Sequence[SurvivingProcess] = ()  #: processes that could not be killed
    stopped_by: str = ""
    interrupted: bool = False  #: the stop was for a shutdown of the worker
    wrote_stderr: bool = False
    last_stderr_line: str = ""
    progress: tuple[int, int] | None = None

    @property
    def end_kind(self) -> str:
        reported: str = self.keeper_report.get("end_kind", "exited")
        if self.lease_lost_because or reported not in _ENDINGS_OF_RUNS_NOT_LOST:
            return "lost"
        return "interrupted" if reported == "stopped" and self.interrupted else reported


def derive_outcome(spec: RunSpec, observations: RunObservations) -> RunOutcome:
    return RunOutcome(
        end_kind=observations.end_kind,
        exit_code=observations.keeper_report.get("exit_code"),
        reason=Reason.joined(*_find_reasons(spec, observations)),
        wrote_stderr=observations.wrote_stderr,
        progress=observations.progress,
        survivors=tuple(observations.survivors),
        error_line=observations.last_stderr_line,
        cpu_seconds=observations.keeper_report.get("cpu_seconds"),
        max_rss_kb=observations.keeper_report.get("max_rss_kb"),
    )


def _find_reasons(spec: RunSpec, observations: RunObservations) -> Iterator[Reason]:
    match observations.end_kind:
        case "timed_out":
            yield Reason.of(Code.TIMEOUT, seconds=spec.timeout or 0)
        case "stopped":
            yield Reason.of(Code.STOP, who=observations.stopped_by)
        case "interrupted":
            yield Reason.of(Code.WORKER_SHUTDOWN, host=observations.host)
    if observations.end_kind == "lost":
        yield reason_of_code(observations.lease_lost_because or Code.LEASE_LATE)
    else:
        yield reason_of_exit(exit_code := observations.keeper_report.get("exit_code"))
        if observations.end_kind == "exited" and exit_code and observations.last_stderr_line:
            yield Reason.of(Code.LAST_LINE, line=observations.last_stderr_line)
    if observations.keeper_replaced_because:
        yield reason_of_code(observations.keeper_replaced_because)
    if observations.survivors:
        yield Reason.of(Code.SURVIVORS, names=[each.name for each in observations.survivors])


def make_log_remarks(spec: RunSpec, observations: RunObservations) -> Iterator[str]:
    """Return the remarks for the log if the run did not end by itself."""
    end_kind, killed = observations.end_kind, observations.keeper_report.get("killed", 0)
    listed = f"{killed} ({'; '.join(observations.keeper_report.get('names', []))})"
    if end_kind == "exited" and killed:
        yield f"Processes that the command left behind were killed: {listed}."
    elif end_kind in _STOP_TEXTS:
        rest = f"SIGKILL to those left after {spec.grace:g} seconds: {listed}" if killed else "all ended"
        yield f"{_STOP_TEXTS[end_kind]}: SIGTERM to the whole tree; {rest}."
    elif end_kind == "lost":
        reason = reason_of_code(observations.lease_lost_because or Code.LEASE_LATE)
        yield f"Killed: {reason_in_english(reason)}. The end may be missing."
    if observations.keeper_replaced_because:
        reason = reason_of_code(observations.keeper_replaced_because)
        yield f"{reason_in_english(reason).capitalize()}. {observations.keeper_error}".strip()


def reason_of_code(code: str) -> Reason:
    """The reason with this code; for any other text, a reason with that text."""
    return Reason.of(Code(code)) if code in Code.values else Reason.of(Code.OTHER, text=code)


def reason_in_english(reason: Reason) -> str:
    """The reason in English, for the run's log."""
    with override("en"):
        return str(reason)


def reason_of_exit(exit_code: int | None) -> Reason:
    """The reason for an exit status. Negative: the signal that killed it; ``None``: unknown."""
    if exit_code is None:
        return Reason.of(Code.EXIT_UNKNOWN)
    if exit_code in _SHELL_STATUS_REASONS:
        return Reason.of(_SHELL_STATUS_REASONS[exit_code])
    if exit_code in _EXIT_STATUSES_OF_UNIX_SIGNALS:
        return Reason.of(
            Code.EXIT_SIGNAL, status=exit_code, signal=signal.Signals(exit_code - _SIGNAL_STATUS_BASE).name
        )
    if exit_code >= 0:
        return Reason.of(Code.EXIT, status=exit_code)
    try:
        return Reason.of(Code.SIGNAL, signal=signal.Signals(-exit_code).name)
    except ValueError:
        return Reason.of(Code.SIGNAL_NUMBER, number=-exit_code)

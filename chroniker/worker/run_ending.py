"""Derives the outcome of a run, and the remarks in its log, from a supervisor's observations. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chroniker.process.process_tree import Survivor
from chroniker.process.run_spec import RunOutcome, RunSpec
from chroniker.reasons import Reason
from chroniker.worker import end_reasons

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
        reason=Reason.joined(*_reasons(spec, seen)),
        wrote_stderr=seen.wrote_stderr,
        progress=seen.progress,
        survivors=tuple(seen.survivors),
        cpu_seconds=seen.keeper.get("cpu_seconds", 0.0),
        max_rss_kb=seen.keeper.get("max_rss_kb", 0),
    )


def _reasons(spec: RunSpec, seen: Observations) -> Iterator[Reason]:
    match seen.how:
        case "timed_out":
            yield end_reasons.too_long(spec.timeout)
        case "stopped":
            yield end_reasons.stop_requested(seen.stopped_by)
        case "interrupted":
            yield end_reasons.shut_down(seen.host)
    if seen.how == "lost":
        yield end_reasons.because(seen.lost or end_reasons.LATE)
    else:
        yield end_reasons.of_exit(exit_code := seen.keeper.get("exit_code"))
        if seen.how == "exited" and exit_code and seen.last_stderr_line:
            yield end_reasons.last_stderr_line(seen.last_stderr_line)
    if seen.replaced:
        yield end_reasons.because(seen.replaced)
    if seen.survivors:
        yield end_reasons.survived([each.name for each in seen.survivors])


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
        yield f"Killed: {_in_english(seen.lost or end_reasons.LATE)}. The end may be missing."
    if seen.replaced:
        yield f"{_in_english(seen.replaced).capitalize()}. {seen.keeper_error}".strip()


def _in_english(why: str) -> str:
    return end_reasons.in_english(end_reasons.because(why))

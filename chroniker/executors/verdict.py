"""Derives the final status of a run from a supervisor's report. Pure."""

from __future__ import annotations

from chroniker.lifecycle import Outcome
from chroniker.models import Status
from chroniker.process.run_spec import RunOutcome
from chroniker.reasons import NO_REASON, Code, Reason

_STATUSES = {
    "timed_out": Status.TIMED_OUT,
    "stopped": Status.STOPPED,
    "interrupted": Status.LOST,  # it may have finished its work: the job's policy for lost runs applies at once
}


def outcome_of(ending: RunOutcome, *, fail_on_stderr: bool) -> Outcome:
    """Success is exit status 0, and no output on stderr if the job requires that."""
    succeeded = ending.how == "exited" and ending.exit_code == 0
    only_stderr = succeeded and fail_on_stderr and ending.wrote_stderr
    reasons = [*([Reason.of(Code.STDERR)] if only_stderr else []), *filter(None, [ending.reason])]
    by_exit_code = Status.SUCCEEDED if succeeded and not only_stderr else Status.FAILED
    return Outcome(
        _STATUSES.get(ending.how, by_exit_code),
        exit_code=ending.exit_code,
        reason=Reason.joined(*reasons) if reasons else NO_REASON,
        progress=ending.progress,
        unstored=ending.unstored,
        survivors=tuple(each.name for each in ending.survivors),
        retry_at_once=ending.how == "interrupted",
    )

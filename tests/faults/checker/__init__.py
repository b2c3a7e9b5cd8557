"""The checker: reads the witness file and the database's tables. It shares no code with the scheduler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import ends, executions, exposure, fences, output, timelines, triggers
from tests.faults.checker.ends import Bounds
from tests.faults.checker.executions import Pause
from tests.faults.checker.findings import Findings, Query

__all__ = ["VIOLATIONS", "Bounds", "Case", "Findings", "Pause", "check"]

#: Every figure that must be 0, with what it counts.
VIOLATIONS = {
    "overlapping": "executions of a job's slot that began before the one before was over",
    "executed_beyond_runs": "executions beyond the claimed runs: a run that started twice, or was not claimed",
    "instants_unaccounted": "instants of a schedule without a run and without a reason",
    "instants_accounted_twice": "instants that more than one run covers",
    "instants_sharing_a_run": "runs for several instants, of jobs whose instants each get a run or none",
    "held_jobs_claimed": "runs of the schedule after a failed one, of jobs that a failure holds",
    "ends_without_one_activation": "ends of a job, and jobs that it starts, without exactly one activation",
    "runs_left_open": "runs not in a final state after the bound",
    "runs_lost_early": "runs that a tick called lost before lease and drift had passed",
    "runs_ended_late": "runs that were lost, or closed with their hosts, later than the bound",
    "claims_not_taken": "claims that no worker took, though one took what was claimed much later",
    "output_missing_unmarked": "runs whose stored output is not what they wrote, without a mark",
    "fenced_without_lease": "fenced transactions that were committed after a newer run's",
    "groups_over_limit": "moments at which a group ran more than it may",
}


@dataclass(frozen=True)
class Case:
    """The input of the checker: the witness file, the bounds, how many lines a chatty job writes, and the pauses."""

    witness: Path
    bounds: Bounds
    chatty_lines: int
    monotonic_start: float = 0.0  # Unix time at which the machine's monotonic clock was 0
    pauses: Sequence[Pause] = ()


def check(case: Case, query: Query) -> Findings:
    """``query`` sends a statement of SQL to the database and returns its rows."""
    findings = Findings(tuple(VIOLATIONS))
    marks = executions.read(case.witness, case.pauses)
    statuses = Counter(status for (status,) in query("SELECT status FROM chroniker_run"))
    findings.figures |= {"executions": len(marks), "runs": sum(statuses.values())}
    findings.figures |= {f"runs_{status.lower()}": count for status, count in sorted(statuses.items())}
    executions.check(findings, marks, query, case.bounds)
    exposure.check(findings, marks, query, lease=case.bounds.lease, monotonic_start=case.monotonic_start)
    timelines.check(findings, query)
    ends.check(findings, query, case.bounds)
    output.check(findings, query, marks, case.chatty_lines)
    fences.check(findings, query)
    triggers.check(findings, query)
    return findings

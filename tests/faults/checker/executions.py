"""Executions by the witness file: one per run, one at a time per slot, and no more of a group than its limit."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tests.faults.checker.ends import Bounds
from tests.faults.checker.findings import Findings, Query, run_key

#: By run: its job and slot.
Runs: TypeAlias = dict[str, tuple[Any, ...]]
#: When a worker and all below it were stopped, and continued.
Pause: TypeAlias = tuple[float, float]

#: After a pause a command runs until its keeper notices the deadline: a documented limit. Seconds.
UNTIL_THE_KEEPER_NOTICES = 0.1
#: Seconds that the signals of a pause may need to reach all processes.
STOPPING = 0.5


@dataclass
class Execution:
    """One process tree, as the witness saw it. ``written``: lines of output that had left it for certain.

    ``seen``: its last mark, apart from ``seen_after_pause``: the last one just after its worker had been paused.
    """

    run: str
    began: float
    seen: float
    seen_after_pause: float = 0.0
    begins: int = 0
    ended: bool = False
    written: int = 0
    code: str = ""  # the directory of the scheduler's code that executed it


def read(witness: Path, pauses: Sequence[Pause] = ()) -> list[Execution]:
    found: dict[str, Execution] = {}
    for line in witness.read_text().splitlines() if witness.exists() else []:
        mark = json.loads(line)
        run, at, event = run_key(mark["run"]), mark["monotonic"], mark["event"]
        execution = found.setdefault(run, Execution(run, at, at))
        execution.began = min(execution.began, at)
        if any(_resumed(execution.seen, at, pause) for pause in pauses):
            execution.seen_after_pause = max(execution.seen_after_pause, at)
        else:
            execution.seen = max(execution.seen, at)
        if event.startswith("begin"):
            execution.begins += 1
            execution.code = event.partition(" ")[2]
        execution.ended |= event == "end"
        if event.startswith("wrote "):
            execution.written = max(execution.written, int(event.split()[1]))
    return list(found.values())


def _resumed(before: float, at: float, pause: Pause) -> bool:
    """Whether a process with marks at these times was stopped between them, and has only just continued."""
    stopped, continued = pause
    return before <= stopped + STOPPING and continued - STOPPING <= at <= continued + UNTIL_THE_KEEPER_NOTICES


def check(findings: Findings, executions: list[Execution], query: Query, bounds: Bounds) -> None:
    runs = {run_key(pk): (job, slot) for pk, job, slot in query("SELECT id, job_id, slot FROM chroniker_run")}
    beyond = [f"{each.run} began {each.begins} times" for each in executions if each.begins > 1]
    beyond += [f"{each.run} was never claimed" for each in executions if each.run not in runs]
    findings.count("executed_beyond_runs", beyond)
    findings.figures["releases"] = len({each.code for each in executions})
    findings.count("overlapping", _overlaps(executions, runs))
    findings.figures["overlapping_after_a_pause"] = _count_overlaps_after_a_pause(executions, runs)
    _groups(findings, executions, runs, query)
    _recovery(findings, executions, runs, query, bounds)


def _overlaps(executions: list[Execution], runs: Runs) -> list[str]:
    found = []
    for those in _by_slot(executions, runs).values():
        latest: Execution | None = None
        for each in sorted(those, key=lambda execution: execution.began):
            if latest is not None and each.began < latest.seen:
                found.append(f"{each.run} began {latest.seen - each.began:.3f} s before the end of {latest.run}")
            latest = each if latest is None or each.seen > latest.seen else latest
    return found


def _count_overlaps_after_a_pause(executions: list[Execution], runs: Runs) -> int:
    return sum(
        any(each.began < other.began < each.seen_after_pause for other in those)
        for those in _by_slot(executions, runs).values()
        for each in those
    )


def _by_slot(executions: list[Execution], runs: Runs) -> dict[tuple[Any, ...] | None, list[Execution]]:
    by_slot = defaultdict(list)
    for each in executions:
        by_slot[runs.get(each.run)].append(each)
    return by_slot


def _groups(findings: Findings, executions: list[Execution], runs: Runs, query: Query) -> None:
    group_of = {job: group for job, group in query("SELECT id, group_id FROM chroniker_job") if group is not None}
    most = {group: limit for group, limit in query("SELECT id, limit_ FROM fault_groups")}
    moments: dict[Any, list[tuple[float, int]]] = defaultdict(list)
    for each in executions:
        group = group_of.get(runs.get(each.run, (None,))[0])
        if group is not None:
            moments[group] += [(each.began, 1), (each.seen, -1)]
    bad = []
    for group, changes in moments.items():
        running = 0
        for at, change in sorted(changes):
            running += change
            if running > most[group]:
                bad.append(f"group {group}: {running} at {at:.3f}, of {most[group]}")
    findings.count("groups_over_limit", bad)


def _recovery(findings: Findings, executions: list[Execution], runs: Runs, query: Query, bounds: Bounds) -> None:
    """From the last sign of a run that was lost to the next beginning of its job.

    Jobs that retry lost runs start again within lease, drift, one tick and their back-off if a tick and a worker are
    there; the others start at their next instant. While faults go on both may be away, so a late one is no violation.
    """
    lost = {run_key(pk) for (pk,) in query("SELECT id FROM chroniker_run WHERE status = 'LOST'")}
    backoff = {
        job: seconds
        for job, retries, seconds in query("SELECT id, retry_on_lost, retry_backoff_seconds FROM chroniker_job")
        if retries
    }
    gaps: list[float] = []
    past_backoff: list[float] = []
    for slot, group in _by_slot(executions, runs).items():
        for each in group:
            later = [other.began for other in group if other.began > each.seen]
            if each.run in lost and later:
                gaps.append(min(later) - each.seen)
                if slot is not None and slot[0] in backoff:
                    past_backoff.append(gaps[-1] - backoff[slot[0]])
    _summarize(findings, "recovery", gaps)
    _summarize(findings, "retry_of_lost", past_backoff)
    bound = bounds.lease + bounds.after_expiry
    findings.figures["retry_of_lost_bound_s"] = bound
    findings.figures["retry_of_lost_within_bound"] = sum(gap <= bound for gap in past_backoff)


def _summarize(findings: Findings, name: str, seconds: list[float]) -> None:
    findings.figures[f"{name}_count"] = len(seconds)
    findings.figures[f"{name}_median_s"] = round(statistics.median(seconds), 2) if seconds else 0.0
    findings.figures[f"{name}_max_s"] = round(max(seconds), 2) if seconds else 0.0

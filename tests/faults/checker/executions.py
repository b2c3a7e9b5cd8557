"""What was executed, by the witness: once for each run, never two of a slot at a time, no more of a group than may."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tests.faults.checker.findings import Findings, Query, run_key

#: By run: its job and slot.
Runs: TypeAlias = dict[str, tuple[Any, ...]]


@dataclass
class Execution:
    """One process tree, as the witness saw it. ``written``: lines of output that had left it for certain."""

    run: str
    began: float
    seen: float
    begins: int = 0
    ended: bool = False
    written: int = 0
    code: str = ""  # the directory of the scheduler's code that executed it


def read(witness: Path) -> list[Execution]:
    found: dict[str, Execution] = {}
    for line in witness.read_text().splitlines() if witness.exists() else []:
        mark = json.loads(line)
        run, at, event = run_key(mark["run"]), mark["monotonic"], mark["event"]
        execution = found.setdefault(run, Execution(run, at, at))
        execution.began, execution.seen = min(execution.began, at), max(execution.seen, at)
        if event.startswith("begin"):
            execution.begins += 1
            execution.code = event.partition(" ")[2]
        execution.ended |= event == "end"
        if event.startswith("wrote "):
            execution.written = max(execution.written, int(event.split()[1]))
    return list(found.values())


def check(findings: Findings, executions: list[Execution], ask: Query) -> None:
    runs = {run_key(pk): (job, slot) for pk, job, slot in ask("SELECT id, job_id, slot FROM chroniker_run")}
    beyond = [f"{each.run} began {each.begins} times" for each in executions if each.begins > 1]
    beyond += [f"{each.run} was never claimed" for each in executions if each.run not in runs]
    findings.count("executed_beyond_runs", beyond)
    findings.figures["releases"] = len({each.code for each in executions})
    findings.count("overlapping", _overlaps(executions, runs))
    _groups(findings, executions, runs, ask)
    _recovery(findings, executions, runs, ask)


def _overlaps(executions: list[Execution], runs: Runs) -> list[str]:
    found = []
    for those in _by_slot(executions, runs).values():
        latest: Execution | None = None
        for each in sorted(those, key=lambda execution: execution.began):
            if latest is not None and each.began < latest.seen:
                found.append(f"{each.run} began {latest.seen - each.began:.3f} s before the end of {latest.run}")
            latest = each if latest is None or each.seen > latest.seen else latest
    return found


def _by_slot(executions: list[Execution], runs: Runs) -> dict[tuple[Any, ...] | None, list[Execution]]:
    by_slot = defaultdict(list)
    for each in executions:
        by_slot[runs.get(each.run)].append(each)
    return by_slot


def _groups(findings: Findings, executions: list[Execution], runs: Runs, ask: Query) -> None:
    group_of = {job: group for job, group in ask("SELECT id, group_id FROM chroniker_job") if group is not None}
    most = {group: limit for group, limit in ask("SELECT id, limit_ FROM fault_groups")}
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


def _recovery(findings: Findings, executions: list[Execution], runs: Runs, ask: Query) -> None:
    """From the last sign of a run that was lost to the next beginning of its job."""
    lost = {run_key(pk) for (pk,) in ask("SELECT id FROM chroniker_run WHERE status = 'LOST'")}
    gaps = []
    for those in _by_slot(executions, runs).values():
        for each in those:
            later = [other.began for other in those if other.began > each.seen]
            if each.run in lost and later:
                gaps.append(min(later) - each.seen)
    findings.figures["recoveries"] = len(gaps)
    findings.figures["recovery_median_s"] = round(statistics.median(gaps), 2) if gaps else 0.0
    findings.figures["recovery_max_s"] = round(max(gaps), 2) if gaps else 0.0

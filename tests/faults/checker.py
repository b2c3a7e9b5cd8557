"""The judge: reads the witness file and the database's tables, and knows no line of the scheduler's code."""

from __future__ import annotations

import bisect
import datetime as dt
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cronsim import CronSim

Ask = Callable[[str], Sequence[Sequence[Any]]]

#: Every figure of which one is one too many.
GOALS = (
    "overlapping",
    "executed_twice",
    "executed_without_a_run",
    "instants_unaccounted",
    "instants_accounted_twice",
    "runs_left_open",
    "claims_not_taken",
    "output_missing_unmarked",
    "fenced_without_lease",
)


@dataclass
class Execution:
    """One process tree, as the witness saw it."""

    run: str
    began: float
    seen: float
    begins: int = 0
    ended: bool = False


@dataclass
class Verdict:
    """``figures``: what was counted; ``examples``: a few of each kind, for people."""

    figures: dict[str, float] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def count(self, figure: str, what: Iterable[str]) -> None:
        found = list(what)
        self.figures[figure] = len(found)
        if found:
            self.examples[figure] = found[:5]

    @property
    def clean(self) -> bool:
        return not any(self.figures[goal] for goal in GOALS)


def judge(witness: Path, ask: Ask, chatty_lines: int) -> Verdict:
    """``ask``: put a statement of SQL to the database, and get its rows."""
    verdict = Verdict()
    executions = read(witness)
    runs = {
        str(pk).replace("-", ""): (job, slot) for pk, job, slot in ask("SELECT id, job_id, slot FROM chroniker_run")
    }
    verdict.figures["executions"] = len(executions)
    verdict.figures["runs"] = len(runs)
    _executions(verdict, executions, runs)
    _tiling(verdict, ask)
    _ends(verdict, ask)
    _output(verdict, ask, chatty_lines)
    _fences(verdict, ask)
    _recovery(verdict, executions, runs, ask)
    return verdict


def read(witness: Path) -> list[Execution]:
    found: dict[str, Execution] = {}
    for line in witness.read_text().splitlines() if witness.exists() else []:
        mark = json.loads(line)
        run, at = mark["run"].replace("-", ""), mark["monotonic"]
        execution = found.setdefault(run, Execution(run, at, at))
        execution.began, execution.seen = min(execution.began, at), max(execution.seen, at)
        execution.begins += mark["event"] == "begin"
        execution.ended |= mark["event"] == "end"
    return list(found.values())


def _executions(verdict: Verdict, executions: list[Execution], runs: dict[str, Any]) -> None:
    verdict.count("executed_twice", (each.run for each in executions if each.begins > 1))
    verdict.count("executed_without_a_run", (each.run for each in executions if each.run not in runs))
    by_slot = defaultdict(list)
    for each in executions:
        by_slot[runs.get(each.run)].append(each)
    overlaps = []
    for those in by_slot.values():
        latest: Execution | None = None
        for each in sorted(those, key=lambda execution: execution.began):
            if latest is not None and each.began < latest.seen:
                overlaps.append(f"{each.run} began {latest.seen - each.began:.3f} s before the end of {latest.run}")
            latest = each if latest is None or each.seen > latest.seen else latest
    verdict.count("overlapping", overlaps)


def _tiling(verdict: Verdict, ask: Ask) -> None:
    """Every instant of a job between its first run and what the machine calls accounted for is in one run's range."""
    ranges = defaultdict(list)
    for job, first, until in ask(
        "SELECT job_id, scheduled_for, covered_until FROM chroniker_run WHERE scheduled_for IS NOT NULL"
    ):
        ranges[job].append((moment(first), moment(until)))
    missing: list[str] = []
    twice: list[str] = []
    instants = 0
    for job, cron, until in ask(
        "SELECT j.id, j.cron, s.accounted_until FROM chroniker_job j JOIN chroniker_jobstate s ON s.job_id = j.id"
    ):
        covered = sorted(ranges[job])
        if not covered:
            continue
        starts = [first for first, _until in covered]
        for instant in CronSim(cron, covered[0][0] - dt.timedelta(seconds=1)):
            if instant > moment(until):
                break
            instants += 1
            place = bisect.bisect_right(starts, instant)
            holding = sum(first <= instant <= last for first, last in covered[max(0, place - 3) : place + 1])
            if holding != 1:
                (twice if holding else missing).append(f"job {job} at {instant}: {holding} runs")
    verdict.figures["instants"] = instants
    verdict.count("instants_unaccounted", missing)
    verdict.count("instants_accounted_twice", twice)


def _ends(verdict: Verdict, ask: Ask) -> None:
    states = Counter(status for (status,) in ask("SELECT status FROM chroniker_run"))
    verdict.figures |= {f"runs_{status.lower()}": count for status, count in sorted(states.items())}
    open_runs = ask("SELECT id, status FROM chroniker_run WHERE finished_at IS NULL")
    leases = ask("SELECT run_id FROM chroniker_lease")
    verdict.count(
        "runs_left_open", [f"{pk} {status}" for pk, status in open_runs] + [f"lease {pk}" for (pk,) in leases]
    )
    untaken = ask("SELECT id FROM chroniker_run WHERE status = 'LOST' AND started_at IS NULL")
    verdict.count("claims_not_taken", (str(pk) for (pk,) in untaken))


def _output(verdict: Verdict, ask: Ask, lines: int) -> None:
    """What a chatty job wrote is stored from its beginning, without a gap; an end that is missing is said."""
    whole = "".join(f"{number:06d}\n" for number in range(lines))
    marked = {str(pk) for (pk,) in ask("SELECT run_id FROM chroniker_runevent WHERE text LIKE '%%missing%%'")}
    marked |= {str(pk) for (pk,) in ask("SELECT run_id FROM chroniker_logchunk WHERE stream = 0")}
    texts: dict[str, str] = defaultdict(str)
    for pk, text in ask("SELECT run_id, text FROM chroniker_logchunk WHERE stream = 1 ORDER BY run_id, seq"):
        texts[str(pk)] += text
    bad = []
    for pk, status in ask(
        "SELECT r.id, r.status FROM chroniker_run r JOIN chroniker_job j ON j.id = r.job_id"
        " WHERE j.name LIKE 'chatty%%' AND r.started_at IS NOT NULL AND r.finished_at IS NOT NULL"
    ):
        text = texts[str(pk)]
        if not whole.startswith(text):
            bad.append(f"{pk} ({status}): not what was written, after {len(text)} characters")
        elif status == "SUCCEEDED" and text != whole and str(pk) not in marked:
            bad.append(f"{pk} ({status}): only {len(text)} of {len(whole)} characters, and nothing says so")
    verdict.count("output_missing_unmarked", bad)


def _fences(verdict: Verdict, ask: Ask) -> None:
    """Places are in the order of the commits: an effect of an older run after one of a newer was not fenced."""
    last: dict[str, int] = {}
    bad, count = [], 0
    for job, place, token in ask("SELECT job, place, token FROM fault_effects ORDER BY job, place"):
        count += 1
        if token < last.get(job, 0):
            bad.append(f"{job}: token {token} at {place}, after {last[job]}")
        last[job] = max(token, last.get(job, 0))
    verdict.figures["fenced"] = count
    verdict.count("fenced_without_lease", bad)


def _recovery(verdict: Verdict, executions: list[Execution], runs: dict[str, Any], ask: Ask) -> None:
    """From the last sign of a run that was lost to the next beginning of its job."""
    lost = {str(pk).replace("-", "") for (pk,) in ask("SELECT id FROM chroniker_run WHERE status = 'LOST'")}
    begins = defaultdict(list)
    for each in executions:
        begins[runs.get(each.run)].append(each.began)
    gaps = []
    for each in executions:
        later = [began for began in begins[runs.get(each.run)] if began > each.seen]
        if each.run in lost and later:
            gaps.append(min(later) - each.seen)
    if gaps:
        verdict.figures["recovery_median_s"] = round(statistics.median(gaps), 2)
        verdict.figures["recovery_max_s"] = round(max(gaps), 2)


def moment(value: Any) -> dt.datetime:
    """As the driver gives it: SQLite text, MariaDB without a zone."""
    found = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)

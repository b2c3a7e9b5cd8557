"""Each end of a chain has exactly one activation of each job that it starts; each activation names such an end."""

from __future__ import annotations

from collections import Counter

from tests.faults.checker.findings import Findings, Query, run_key


def check(findings: Findings, query: Query) -> None:
    """All triggers of the trial wait for any end."""
    made = Counter((target, run_key(cause)) for target, cause in query(
        "SELECT target_id, cause FROM chroniker_activation WHERE cause IS NOT NULL"
    ))  # fmt: skip
    pending = {(job, chain) for job, chain in query("SELECT job_id, retry_of FROM chroniker_jobstate")}
    last = {}
    for job, chain, run, finished in query(
        "SELECT job_id, chain, id, finished_at FROM chroniker_run WHERE chain IS NOT NULL AND slot = '' ORDER BY token"
    ):
        last[job, chain] = (run_key(run), finished is not None and (job, chain) not in pending)
    expected: Counter[tuple[int, str]] = Counter()
    for source, target in query("SELECT source_id, target_id FROM chroniker_jobtrigger"):
        expected.update((target, run) for (job, _chain), (run, ended) in last.items() if ended and job == source)
    findings.figures["ends_with_trigger"] = sum(expected.values())
    wrong = {key for key in {*made, *expected} if made[key] != expected[key]}
    examples = (f"run {run}, job {target}: {made[target, run]}" for target, run in wrong)
    findings.count("ends_without_one_activation", examples)

"""Fenced transactions are committed under the lease, or not at all."""

from __future__ import annotations

from tests.faults.checker.findings import Findings, Query


def check(findings: Findings, query: Query) -> None:
    """Places are in the order of the commits: an effect of an older run after one of a newer was not fenced."""
    last: dict[str, int] = {}
    bad, count = [], 0
    for job, place, token in query("SELECT job, place, token FROM fault_effects ORDER BY job, place"):
        count += 1
        if token < last.get(job, 0):
            bad.append(f"{job}: token {token} at {place}, after {last[job]}")
        last[job] = max(token, last.get(job, 0))
    findings.figures["fenced"] = count
    findings.count("fenced_without_lease", bad)

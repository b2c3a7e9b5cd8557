"""How often the trial came near a violation. "No violation" means little without these figures."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.checker.executions import Execution
from tests.faults.checker.findings import Findings, Query, run_key, to_datetime

#: By the rule of three: with no violation in n cases the rate is below 3/n, with 95 % confidence.
RULE_OF_THREE = 3.0


def check(
    findings: Findings, executions: Sequence[Execution], query: Query, *, lease: float, monotonic_start: float
) -> None:
    """``monotonic_start``: the Unix time at which the machine's monotonic clock was 0."""
    seen = {each.run: each.seen + monotonic_start for each in executions}
    lost = {run_key(pk) for (pk,) in query("SELECT id FROM chroniker_run WHERE status = 'LOST'")}
    expired, alive_without_renewal, alive_at_expiry = 0, 0, 0
    for pk, due, gone in query("SELECT run_id, expires_at, gone_at FROM fault_leases"):
        run, ended = run_key(pk), to_datetime(due).timestamp()
        if run not in lost or to_datetime(gone).timestamp() < ended:
            continue
        expired += 1
        if run in seen:
            alive_without_renewal += seen[run] > ended - lease / 2
            alive_at_expiry += seen[run] > ended
    findings.figures["leases_expired"] = expired
    findings.figures["expired_tree_alive_half_lease_before"] = alive_without_renewal
    findings.figures["expired_tree_alive_at_expiry"] = alive_at_expiry
    if not findings.figures["overlapping"]:
        findings.figures["overlap_rate_per_execution_below"] = upper_bound(len(executions))
        findings.figures["overlap_rate_per_expiry_with_live_tree_below"] = upper_bound(alive_without_renewal)


def upper_bound(cases: int) -> float:
    """Of a rate of which no case was seen; 1 where so few cases prove nothing."""
    return round(min(1.0, RULE_OF_THREE / cases), 5) if cases else 1.0

"""Every run came to its end, within the bound that the documentation states."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from tests.faults.checker.findings import Findings, Query, run_key, to_datetime


@dataclass(frozen=True)
class Bounds:
    """The values of the formulas in docs/reliability.md, in seconds.

    ``away``: how long the faults may keep every tick from its work ("something must tick"). ``by_lease``: a run is
    given up by its lease, not by a file lock. ``steady``: the database's clock was not set.
    """

    lease: float
    start_deadline: float
    period: float
    away: float
    by_lease: bool = True
    steady: bool = True

    @property
    def drift(self) -> float:
        return self.lease / 50 + 1

    @property
    def after_expiry(self) -> float:
        return self.drift + self.period

    @property
    def of_all(self) -> float:
        """After this much calm nothing is open but what runs well."""
        return max(self.start_deadline, self.lease) + self.after_expiry


def check(findings: Findings, query: Query, bounds: Bounds) -> None:
    left = [f"{pk} {status}" for pk, status in query("SELECT id, status FROM chroniker_run WHERE finished_at IS NULL")]
    left += [f"lease {pk}" for (pk,) in query("SELECT run_id FROM chroniker_lease")]
    findings.count("runs_left_open", left)
    findings.count("claims_not_taken", _claims_passed_over(findings, query, bounds))
    findings.count("runs_lost_early", _early(query, bounds) if bounds.steady and bounds.by_lease else [])
    findings.count("runs_ended_late", _late(findings, query, bounds) if bounds.steady else [])


def _claims_passed_over(findings: Findings, query: Query, bounds: Bounds) -> list[str]:
    """Claims that were closed without a start, although a similar run that was claimed half a deadline later started.

    Where workers are missing or overloaded, claims wait in order, and the last ones are not started: this is no
    violation if the runs record it. But a lost message has to be sent again in time.
    """
    untaken = [
        (pk, sent, required_host, to_datetime(since), to_datetime(until))
        for pk, sent, required_host, since, until in query(
            "SELECT id, dispatch_count, required_host, claimed_at, finished_at FROM chroniker_run"
            " WHERE status = 'LOST' AND started_at IS NULL AND required_host <> '*' ORDER BY claimed_at"
        )
    ]
    findings.figures["claims_given_up"] = len(untaken)
    begun = [
        (required_host, to_datetime(since), to_datetime(at))
        for required_host, since, at in query(
            "SELECT required_host, claimed_at, started_at FROM chroniker_run"
            " WHERE started_at IS NOT NULL AND required_host <> '*'"
        )
    ]
    turn = dt.timedelta(seconds=bounds.start_deadline / 2)
    found = []
    for pk, sent, required_host, since, until in untaken:
        quicker = sum(like == required_host and claimed > since + turn and at < until for like, claimed, at in begun)
        if quicker:
            words = f"sent {sent} times between {since:%T} and {until:%T}, passed over by {quicker}"
            found.append(f"{pk}, for {required_host or 'any host'}: {words}")
    return found


def _early(query: Query, bounds: Bounds) -> list[str]:
    """Runs that a tick closed. A worker that shuts down closes its own runs earlier, and rightly."""
    found = query(
        "SELECT l.run_id, l.expires_at, l.gone_at FROM fault_leases l JOIN chroniker_run r ON r.id = l.run_id"
        " WHERE r.status = 'LOST' AND r.code = 'LEASE'"
    )
    past = [(pk, (to_datetime(gone) - to_datetime(due)).total_seconds()) for pk, due, gone in found]
    return [f"{pk}: {seconds:.1f} s after its lease" for pk, seconds in past if seconds < bounds.drift]


def _late(findings: Findings, query: Query, bounds: Bounds) -> list[str]:
    """By how much each lost run outlived its lease: a trigger recorded the lease's values when it was deleted."""
    states = {
        run_key(pk): (status, parent) for pk, status, parent in query("SELECT id, status, parent_id FROM chroniker_run")
    }
    last_of: dict[str, dt.datetime] = defaultdict(lambda: dt.datetime.min.replace(tzinfo=dt.UTC))
    worst, late = 0.0, []
    rows = [
        (run_key(pk), to_datetime(due), to_datetime(gone))
        for pk, due, gone in query("SELECT run_id, expires_at, gone_at FROM fault_leases")
    ]
    for pk, due, gone in rows:
        status, parent = states.get(pk, ("", None))
        if parent:
            last_of[run_key(parent)] = max(last_of[run_key(parent)], gone)
        if status == "LOST" and bounds.by_lease:
            seconds = (gone - due).total_seconds() - bounds.after_expiry
            worst = max(worst, seconds)
            if seconds > bounds.away:
                late.append(f"{pk}: {seconds:.1f} s after lease, drift and period")
    for pk, _due, gone in rows:
        if pk in last_of and (gone - last_of[pk]).total_seconds() > bounds.after_expiry + bounds.lease + bounds.away:
            late.append(f"{pk}: {gone - last_of[pk]} after the last of its hosts")
    findings.figures["past_the_bound_max_s"] = round(worst, 2)
    return late

"""Every instant, from each job's creation until the jobs were disabled, is in one run's range: by another library."""

from __future__ import annotations

import bisect
import datetime as dt
from collections import defaultdict

from cronsim import CronSim

from tests.faults.checker.findings import Findings, Query, to_datetime


def check(findings: Findings, query: Query) -> None:
    ranges = defaultdict(list)
    for job, first, until in query(
        "SELECT job_id, scheduled_for, covered_until FROM chroniker_run WHERE scheduled_for IS NOT NULL"
    ):
        ranges[job].append((to_datetime(first), to_datetime(until)))
    missing: list[str] = []
    twice: list[str] = []
    instants = 0
    for job, cron, since, until in query(
        "SELECT j.id, j.cron, t.since, t.until_ FROM chroniker_job j JOIN fault_timelines t ON t.job_id = j.id"
    ):
        covered = sorted(ranges[job])
        for instant in _instants(cron, to_datetime(since), to_datetime(until)):
            instants += 1
            holding = _covering(covered, instant)
            if holding != 1:
                (twice if holding else missing).append(f"job {job} at {instant}: {holding} runs")
    findings.figures["instants"] = instants
    findings.count("instants_unaccounted", missing)
    findings.count("instants_accounted_twice", twice)
    findings.count("instants_sharing_a_run", _shared(query))
    findings.count("held_jobs_claimed", _claimed_while_held(query))


_CLAIMED = "scheduled_for IS NOT NULL AND status <> 'SKIPPED'"


def _shared(query: Query) -> list[str]:
    rows = query(
        "SELECT id, job_id FROM chroniker_run"  # nosec B608  # no values
        f" WHERE {_CLAIMED} AND covered_until <> scheduled_for"
        " AND job_id IN (SELECT id FROM chroniker_job WHERE catch_up <> 'COALESCE')"
    )
    return [f"run {run} of job {job}" for run, job in rows]


def _claimed_while_held(query: Query) -> list[str]:
    """Such jobs are not resumed in a trial, and none of their runs by hand succeeds."""
    rows = query(
        "SELECT id, job_id, status FROM chroniker_run"  # nosec B608  # no values
        f" WHERE {_CLAIMED} AND job_id IN (SELECT id FROM chroniker_job WHERE hold_on_failure)"
        " ORDER BY job_id, scheduled_for"
    )
    held, found = set(), []
    for run, job, status in rows:
        if job in held:
            found.append(f"run {run} of job {job}")
        if status in ("FAILED", "TIMED_OUT", "LOST"):
            held.add(job)
    return found


def _instants(cron: str, since: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    found = []
    for instant in CronSim(cron, since):
        if instant > until:
            break
        found.append(instant)
    return found


def _covering(covered: list[tuple[dt.datetime, dt.datetime]], instant: dt.datetime) -> int:
    place = bisect.bisect_right([first for first, _until in covered], instant)
    return sum(first <= instant <= last for first, last in covered[max(0, place - 3) : place + 1])

"""The failures of the scheduler for monitoring programs: as codes, without names of jobs or hosts."""

from __future__ import annotations

import datetime as dt

from chroniker.eligibility import liveness
from chroniker.insights.health import VERY_LATE_AFTER
from chroniker.insights.health_facts import HealthFacts


def failure_codes(facts: HealthFacts, now: dt.datetime) -> dict[str, str]:
    """The failures by part of the scheduler, by the rules of the alarms. Empty: the scheduler works."""
    found = {}
    if not facts.tickers:
        found["tick"] = "never"
    elif liveness.last_ticker_if_all_silent(facts.tickers, now) is not None:
        found["tick"] = "silent"
    unserved = liveness.select_queues_without_worker(facts.queues, facts.services, now)
    if any(now - queue.oldest_claimed_at >= liveness.QUEUE_ALARM_DELAY for queue in unserved):
        found["workers"] = "missing"
    if facts.overdue_since is not None and now - facts.overdue_since > VERY_LATE_AFTER:
        found["backlog"] = "late"
    return found

"""Jobs whose past scheduled times were missed, and backfills of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import BACKFILL
from chroniker.lifecycle import claim_plan
from chroniker.models import Backfill, Job, Status
from chroniker.models.backfill import schedule_to_json
from chroniker.scheduler.backfill_batches import attach_open_backfills_to_states
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.steps import ended
from tests.support.factories import a_booked_job

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


def daily(days: int = 5, **fields: Any) -> Job:
    """A job whose scheduled times of the last days were missed, and are accounted for. The next one is hours away."""
    now = database_now()
    cron = f"0 {(now.hour + 12) % 24} * * *"
    job = a_booked_job(since=now - days * DAY, cron=cron, misfire_grace_seconds=0, **fields)
    tick(now=now + MINUTE)
    return job


def a_backfill(job: Job, **fields: Any) -> Backfill:
    now = database_now()
    values = {"first": now - 30 * DAY, "last": now, "spec": schedule_to_json(job.spec), "planned": 0, **fields}
    return lifecycle.add_backfill(Backfill(job=job, **values))


def tick_until_ended(row: Backfill, status: Status = Status.SUCCEEDED) -> bool:
    for run in tick().claimed:
        ended(run, status)
    row.refresh_from_db()
    return row.is_open


def planned() -> list[lifecycle.Plan]:
    now = database_now()
    states = attach_open_backfills_to_states(list(due.find_due_jobs(BACKFILL, now)), now)
    return [claim_plan.make_claim_plan(BACKFILL, state, now) for state in states]

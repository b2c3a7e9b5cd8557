"""Open runs with a lease, written at once: searches and explanations only read them."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import uuid4

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, Lease, Run, Status, Trigger


def an_open_run(job: Job, slot: str = "", parts: tuple[int, int] | None = None, **fields: Any) -> Run:
    """A running one, unless ``fields`` say otherwise. ``parts``: how many are done, and how many there are."""
    now, (done, total) = database_now(), parts or (None, None)
    values = {"status": Status.RUNNING, "origin": Trigger.SCHEDULE, "nonce": uuid4(), "started_at": now, **fields}
    run = Run.objects.create(job=job, token=1 + Run.objects.count(), slot=slot, claimed_at=now, **values)
    until, counts = now + dt.timedelta(hours=1), {"total_parts_complete": done, "total_parts": total}
    Lease.objects.create(run=run, job=job, slot=slot, token=run.token, expires_at=until, **counts)
    return run

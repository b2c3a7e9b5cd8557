"""Schedulers that tick no more, and runs without a worker."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chroniker.clock.database_clock import database_now
from chroniker.models import Host, HostService, Run, Ticker
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job

NEVER = "0 0 1 1 *"


def a_ticker(age: dt.timedelta, **fields: Any) -> Ticker:
    values = {"host": "web1", "kind": "beat", "version": "2", "pid": 1, "period": 5, "pass_seconds": 0.1, **fields}
    return Ticker.objects.create(last_at=database_now() - age, **values)


def a_run_without_worker(age: dt.timedelta, queue: str = "slow") -> Run:
    run = run_now(a_booked_job(cron=NEVER), requested_by="a test")
    Run.objects.filter(pk=run.pk).update(claimed_at=database_now() - age, queue=queue)
    host, _created = Host.objects.get_or_create(name="h1", defaults={"last_seen": database_now()})
    HostService.objects.update_or_create(
        host=host, executor="default", worker="w", defaults={"last_seen": database_now(), "queues": ["fast"]}
    )
    return run

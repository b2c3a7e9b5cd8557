"""The jobs that run while faults are inflicted: short, long, chatty, deaf to SIGTERM, forking, waiting, retried."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from django.db import connection

from chroniker.clock import database_now
from chroniker.models import Job, JobDependency

KINDS: dict[str, dict[str, Any]] = {
    "short": {"args": ""},
    "long": {"args": "--seconds 4", "overlap": "SKIP"},
    "longer": {"args": "--seconds 9", "retry_on_lost": True, "retry_backoff_seconds": 1},
    "chatty": {"args": "--seconds 1 --lines 4000"},
    "deaf": {"args": "--seconds 30 --deaf", "timeout_seconds": 3},
    "daemon": {"args": "--seconds 1 --daemon"},
    "fenced": {"args": "--seconds 2 --fenced", "retry_on_lost": True, "retry_backoff_seconds": 1},
    "failing": {"args": "--seconds 1 --fail", "max_retries": 2, "retry_backoff_seconds": 1},
    "replaced": {"args": "--seconds 12", "overlap": "REPLACE"},
    "strict": {"args": "--seconds 1", "misfire_grace_seconds": 5},
    "dependent": {"args": ""},
}


def populate(dice: random.Random, jobs: int) -> None:
    """So many jobs, of each kind in turn, each every 5 to 20 seconds."""
    made: list[Job] = []
    for number in range(jobs):
        kind = list(KINDS)[number % len(KINDS)]
        fields = dict(KINDS[kind])
        name = f"{kind} {number}"
        fields["args"] = f"'{name}' {fields['args']}"
        step = dice.choice((5, 10, 15, 20))
        made.append(
            Job.objects.create(name=name, command="labour", cron=f"*/{step} * * * * *", timezone="UTC", **fields)
        )
        if kind == "dependent":
            JobDependency.objects.create(
                dependent=made[-1], dependee=made[-2], wait_for_success=False, wait_for_next_run=dice.random() < 0.5
            )
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE fault_places (job VARCHAR(100) PRIMARY KEY, place INTEGER NOT NULL)")
        cursor.execute(
            "CREATE TABLE fault_effects (job VARCHAR(100), place INTEGER, token INTEGER, PRIMARY KEY (job, place))"
        )
        cursor.executemany("INSERT INTO fault_places VALUES (%s, 0)", [(job.name,) for job in made])


def retire() -> dt.datetime:
    """No further instants; returns the moment."""
    Job.objects.update(enabled=False)
    return database_now()

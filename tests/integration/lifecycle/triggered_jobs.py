"""Jobs that are started by the end of others, and their activations."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chroniker.clock.database_clock import database_now
from chroniker.models import Activation, Job, JobTrigger, TriggerOn
from tests.support.factories import a_booked_job, a_due_job


def a_target(**fields: Any) -> Job:
    return a_booked_job(**{"frequency": "MANUAL", "cron": "", **fields})


def a_pair(on: TriggerOn = TriggerOn.ENDED, target: dict[str, Any] | None = None, **source: Any) -> tuple[Job, Job]:
    """A due job, and one that it starts."""
    first, second = a_due_job(**{"retry_backoff_seconds": 0, **source}), a_target(**(target or {}))
    JobTrigger.objects.create(source=first, target=second, on=on)
    return first, second


def waiting(job: Job) -> list[Activation]:
    return list(Activation.objects.filter(target=job, ended_at=None).order_by("made_at", "pk"))


def an_activation(job: Job, **fields: Any) -> Activation:
    now = database_now()
    return Activation.objects.create(target=job, **{"instant": now, "made_at": now, **fields})


def activated(job: Job, n: int) -> list[Activation]:
    """``n`` waiting ones, a minute apart, the oldest first."""
    now = database_now()
    minutes = [now - dt.timedelta(minutes=n - place) for place in range(n)]
    return [an_activation(job, instant=at, made_at=at) for at in minutes]

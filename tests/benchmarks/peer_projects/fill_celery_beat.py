"""django-celery-beat: rows of PeriodicTask."""

from __future__ import annotations

import datetime as dt

from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks
from plan import AT, DAY, DUE, FAR


def fill() -> None:
    every, _made = IntervalSchedule.objects.get_or_create(every=1, period="days")
    last = [*[dt.datetime.now(dt.UTC)] * FAR, *[AT - DAY] * DUE]
    PeriodicTask.objects.bulk_create(
        [PeriodicTask(name=f"job {n}", task="peer.noop", interval=every, last_run_at=at) for n, at in enumerate(last)],
        batch_size=2_000,
    )
    PeriodicTasks.update_changed()

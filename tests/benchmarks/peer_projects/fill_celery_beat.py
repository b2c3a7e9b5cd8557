"""django-celery-beat: rows of PeriodicTask."""

from __future__ import annotations

import datetime as dt

import django
from plan import AT, DAY, DUE, FAR

django.setup()

from django.core.management import call_command  # noqa: E402
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks  # noqa: E402

call_command("migrate", verbosity=0)
every, _made = IntervalSchedule.objects.get_or_create(every=1, period="days")
last = [*[dt.datetime.now(dt.UTC)] * FAR, *[AT - DAY] * DUE]
PeriodicTask.objects.bulk_create(
    [PeriodicTask(name=f"job {n}", task="peer.noop", interval=every, last_run_at=at) for n, at in enumerate(last)],
    batch_size=2_000,
)
PeriodicTasks.update_changed()

"""django-q2: rows of Schedule."""

from __future__ import annotations

import datetime as dt

import django
from plan import AT, DAY, DUE, FAR

django.setup()

from django.core.management import call_command  # noqa: E402
from django_q.models import Schedule  # noqa: E402

call_command("migrate", verbosity=0)
upcoming = [*[dt.datetime.now(dt.UTC) + DAY] * FAR, *[AT] * DUE]
Schedule.objects.bulk_create(
    [
        Schedule(name=f"job {n}", func="work.report_start", schedule_type="D", next_run=at)
        for n, at in enumerate(upcoming)
    ],
    batch_size=2_000,
)

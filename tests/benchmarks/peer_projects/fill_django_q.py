"""django-q2: rows of Schedule."""

from __future__ import annotations

import datetime as dt

from django_q.models import Schedule
from plan import AT, DAY, DUE, FAR


def fill() -> None:
    upcoming = [*[dt.datetime.now(dt.UTC) + DAY] * FAR, *[AT] * DUE]
    Schedule.objects.bulk_create(
        [
            Schedule(name=f"job {n}", func="work.report_start", schedule_type="D", next_run=at)
            for n, at in enumerate(upcoming)
        ],
        batch_size=2_000,
    )

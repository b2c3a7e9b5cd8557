"""The ancestor, django-chroniker: rows of Job."""

from __future__ import annotations

import datetime as dt

from plan import AT, DAY, DUE, FAR

from chroniker.models import Job


def fill() -> None:
    upcoming = [*[dt.datetime.now(dt.UTC) + DAY] * FAR, *[AT] * DUE]
    Job.objects.bulk_create(
        [
            Job(name=f"job {n}", frequency="DAILY", params="interval:1", command="peer_noop", next_run=at)
            for n, at in enumerate(upcoming)
        ],
        batch_size=2_000,
    )

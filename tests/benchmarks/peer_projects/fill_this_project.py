"""This project: rows of Job, which beat books."""

from __future__ import annotations

from plan import AT, DUE, FAR

from chroniker.models import Job


def fill() -> None:
    Job.objects.bulk_create(
        [Job(name=f"far {n}", command="peer_noop", cron="0 0 1 1 *", timezone="UTC") for n in range(FAR)],
        batch_size=2_000,
    )
    for number in range(DUE):
        Job.objects.create(name=f"due {number}", command="peer_noop", frequency="ONCE", run_at=AT, timezone="UTC")

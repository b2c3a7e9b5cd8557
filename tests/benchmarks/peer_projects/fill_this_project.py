"""This project: rows of Job, which beat books."""

from __future__ import annotations

import django
from plan import AT, DUE, FAR

django.setup()

from django.core.management import call_command  # noqa: E402

from chroniker.models import Job  # noqa: E402

call_command("migrate", verbosity=0)
Job.objects.bulk_create(
    [Job(name=f"far {n}", command="peer_noop", cron="0 0 1 1 *", timezone="UTC") for n in range(FAR)],
    batch_size=2_000,
)
for number in range(DUE):
    Job.objects.create(name=f"due {number}", command="peer_noop", frequency="ONCE", run_at=AT, timezone="UTC")

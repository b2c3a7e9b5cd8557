from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from chroniker.models import Channel, Job, JobDependency, JobTrigger
from samples import shop_jobs
from samples.jobs import SAMPLES, Sample


class Command(BaseCommand):
    help = (
        "Creates missing jobs and requests a run of each sample job. Does not change existing jobs, so it may run at "
        "every start. With DEMO_PASSWORD, also creates a superuser “demo”."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hurry", action="store_true", help="only the sample jobs, and shorter, for the check")

    @transaction.atomic
    def handle(self, *, hurry: bool, **options: Any) -> None:
        for sample in SAMPLES:
            job = self.ensure_job(sample, sample.hurried if hurry else {})
            for name in sample.waits_for:
                JobDependency.objects.get_or_create(dependent=job, dependee=Job.objects.get(name=name))
            if sample.started_by:
                JobTrigger.objects.get_or_create(source=Job.objects.get(name=sample.started_by), target=job)
        Job.objects.filter(name__in=[sample.name for sample in SAMPLES if sample.at_once]).update(force_run=True)
        if not hurry:
            target = "setting:CHRONIKER_CHANNEL_INBOX"
            Channel.objects.get_or_create(
                name="Inbox", defaults={"kind": "WEBHOOK", "target": target, "is_default": True}
            )
            for name in shop_jobs.create():
                self.stdout.write(f"Job “{name}” added.")
        if password := os.environ.get("DEMO_PASSWORD"):
            self.ensure_user(password)
            shop_jobs.subscribe("demo")

    def ensure_job(self, sample: Sample, hurried: Mapping[str, Any]) -> Job:
        job = Job.objects.filter(name=sample.name).first()
        if job is None:
            job = Job(name=sample.name, **{**sample.fields, **hurried})
            job.full_clean()
            job.save()
            self.stdout.write(f"Job “{job.name}” added.")
        return job

    def ensure_user(self, password: str) -> None:
        user, _ = get_user_model().objects.get_or_create(
            username="demo", defaults={"is_staff": True, "is_superuser": True, "email": "demo@example.com"}
        )
        user.set_password(password)
        user.save(update_fields=["password"])

"""The sentences about the effects of an edit, in the preview beside the form of a job."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from chroniker.clock.database_clock import database_now
from chroniker.models import Host, HostService, JobState, Status, Trigger
from tests.integration.admin.edit_previews import effects, preview
from tests.support.factories import a_booked_job

EVERY_MINUTE = "* * * * *"


@pytest.mark.parametrize(
    ("policy", "usual", "sentence"),
    [
        ({"overlap": "SKIP"}, 90, "Up to 720 of 1,440 scheduled times of a day will be skipped."),
        ({"catch_up": "LATEST"}, 150, "Up to 863 of 1,440 scheduled times of a day will be skipped."),
        ({}, 150, "Up to 863 of 1,440 scheduled times of a day will be merged into a later run."),
        ({"catch_up": "EACH"}, 90, "Up to 1,439 of 1,440 scheduled times of a day will wait for the previous run."),
        ({"overlap": "REPLACE"}, 90, "Up to 1,439 of 1,440 runs of a day will be stopped by the next one."),
        ({}, 50, "Each run is expected to end before the next one is due."),
    ],
)
def test_runs_that_take_longer_than_a_period_have_a_sentence_for_each_policy(
    admin: Client, policy: dict[str, str], usual: int, sentence: str
) -> None:
    job = a_booked_job(cron=EVERY_MINUTE)
    JobState.objects.filter(pk=job.pk).update(p50=usual, p95=usual, last_status=Status.SUCCEEDED)
    found = effects(preview(admin, job, cron=EVERY_MINUTE, **policy))
    [why] = [why for _tone, text, why in found if text == sentence]
    assert "The slowest" not in why


def test_disabling_a_job_drops_its_pending_retry(admin: Client) -> None:
    job = a_booked_job(cron="0 3 * * *")
    JobState.objects.filter(pk=job.pk).update(
        retry_at=database_now(), retry_attempt=1, retry_of=1, retry_origin=Trigger.SCHEDULE, retry_status="FAILED"
    )
    kept, dropped = (effects(preview(admin, job, cron="0 3 * * *", enabled=value)) for value in ("1", ""))
    retry = ("wait", "The pending retry will be cancelled.", "The job is disabled.")
    assert retry in dropped and retry not in kept


@pytest.mark.parametrize("queue", ["mails", ""])
def test_a_minute_with_more_jobs_than_slots_names_the_queue(admin: Client, queue: str) -> None:
    now = database_now()
    host = Host.objects.create(name="here", last_seen=now)
    HostService.objects.create(host=host, executor="default", worker="w", queues=[queue], slots=1, last_seen=now)
    job, _other = (a_booked_job(cron="0 3 * * *", queue=queue) for _ in range(2))
    [(tone, text, why)] = [each for each in effects(preview(admin, job, cron="0 3 * * *")) if "More runs" in each[1]]
    assert tone == "wait" and re.fullmatch(r"More runs are due at (.* )?03:00 than can start\.", text)
    named = queue or "default"
    assert why.startswith(f"2 jobs of queue {named} start in the same minute; slots of its workers: 1. Estimated")

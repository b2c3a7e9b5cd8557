"""The table *Causes* in the schedule history, and *Discard waiting activations*."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from chroniker import lifecycle
from chroniker.lifecycle import Outcome
from chroniker.models import Activation, Job, JobTrigger, Run, Status, TriggerOn
from chroniker.scheduler import events
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, started

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]


def a_target(**fields: Any) -> Job:
    return a_booked_job(**{"name": "report", "frequency": "MANUAL", "cron": "", **fields})


def page(client: Client, job: Job) -> str:
    response = client.get(reverse("admin:chroniker_job_schedule", args=[job.pk]))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def discard(client: Client, job: Job) -> Any:
    return client.post(reverse("admin:chroniker_job_discard", args=[job.pk]), follow=True)


def test_each_activation_is_listed_with_its_cause_and_result(admin_client: Client) -> None:
    load, report = a_booked_job(name="load", cron="0 0 1 1 *"), a_target()
    JobTrigger.objects.create(source=load, target=report, on=TriggerOn.ENDED)
    cause = run_now(load, requested_by="ann")
    lifecycle.finish(cause.pk, cause.token, started(cause), Outcome(Status.SUCCEEDED))
    tick()
    events.trigger(report, key="order 7", by="shop")
    text = page(admin_client, report)
    run = Run.objects.get(job=report)
    assert f'<a href="{reverse("admin:chroniker_run_change", args=[cause.pk])}">load, run 1</a>' in text
    assert f'<a href="{reverse("admin:chroniker_run_change", args=[run.pk])}">1</a>' in text
    assert "shop, key “order 7”" in text
    assert "Got a run" in text and "Waiting" in text
    assert "Discard waiting activations (1)" in text


def test_the_schedule_page_of_a_job_without_a_schedule_shows_only_the_causes(admin_client: Client) -> None:
    text = page(admin_client, a_target())
    assert "This job has no schedule: it is started by hand, by a trigger or by a program." in text
    assert "No trigger and no program has requested a run in the last 30 days." in text
    assert "Did it run?" not in text
    text = page(admin_client, a_booked_job(name="hourly"))
    assert "Did it run?" in text and "causes-h" not in text


def test_what_waits_can_be_discarded(admin_client: Client) -> None:
    report = a_target()
    run_now(report, requested_by="ann")
    events.trigger(report)
    events.trigger(report)
    response = discard(admin_client, report)
    assert "2 activations of “report” were discarded." in response.content.decode()
    assert set(Activation.objects.values_list("outcome", "code")) == {("PASSED", "DISCARDED")}
    assert LogEntry.objects.get().change_message == "Waiting activations discarded: 2."
    assert "Someone discarded it." in page(admin_client, report)
    assert "0 activations" in discard(admin_client, report).content.decode()
    assert LogEntry.objects.count() == 1


def test_discarding_needs_the_right_to_change_jobs(staff: Any) -> None:
    report = a_target()
    run_now(report, requested_by="ann")
    events.trigger(report)
    viewer = staff("view_job", "view_run")
    assert "Discard waiting activations" not in page(viewer, report)
    assert viewer.post(reverse("admin:chroniker_job_discard", args=[report.pk])).status_code == 403
    assert Activation.objects.filter(ended_at=None).exists()


def test_a_get_discards_nothing(admin_client: Client) -> None:
    report = a_target()
    run_now(report, requested_by="ann")
    events.trigger(report)
    admin_client.get(reverse("admin:chroniker_job_discard", args=[report.pk]))
    assert Activation.objects.filter(ended_at=None).exists()

"""A job that is held after a failure: pages and commands show it and resume it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from chroniker import lifecycle
from chroniker.insights import health_facts
from chroniker.lifecycle import Outcome
from chroniker.models import AuditEntry, CatchUp, Job, Status
from chroniker.models.audit import command_actor
from chroniker.scheduler.tick import tick
from tests.support.admin_pages import errors, open_form, url
from tests.support.factories import a_due_job, a_job, started, state_of

pytestmark = pytest.mark.django_db

NOW = "/admin/chroniker/job/now/"


def a_held_job(**fields: Any) -> Job:
    job = a_due_job(hold_on_failure=True, **{"name": "import", **fields})
    run = next(run for run in tick().claimed if run.job_id == job.pk)
    nonce = started(run)
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, error_line="no such file"))
    assert state_of(job).held_at is not None
    health_facts.clear_cached_health_facts()
    return job


def resume_url(job: Job) -> str:
    return reverse("admin:chroniker_job_resume", args=[job.pk])


def manage(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, skip_checks=True)
    return out.getvalue()


def test_the_start_page_names_the_run_and_offers_to_resume(admin: Client) -> None:
    job = a_held_job()
    html = admin.get(NOW).content.decode()
    assert "Held since run 1 failed at " in html
    assert "Its scheduled runs wait until it is resumed." in html
    assert f'formaction="{resume_url(job)}"' in html
    assert 'aria-label="Resume import"' in html


def test_the_list_has_a_filter_for_held_jobs(admin: Client) -> None:
    job, other = a_held_job(), a_job(name="other one")
    html = admin.get("/admin/chroniker/job/?show=held").content.decode()
    assert "import" in html and other.name not in html
    assert "It has been held since run 1 failed." in html
    assert f'formaction="{resume_url(job)}"' in html


def test_the_page_of_the_job_says_why_and_offers_to_resume(admin: Client) -> None:
    job = a_held_job()
    html = admin.get(reverse("admin:chroniker_job_status", args=[job.pk])).content.decode()
    assert "It has been held since run 1 failed: no such file" in html
    assert "Its scheduled times wait until it is resumed. Resume it, or run it: a successful run resumes it." in html
    assert f'formaction="{resume_url(job)}"' in html


def test_resume_by_a_user_is_recorded(admin: Client) -> None:
    job = a_held_job()
    page = admin.post(resume_url(job), follow=True)
    assert state_of(job).held_at is None
    assert "was resumed. Its due runs start at the next tick." in page.content.decode()
    assert LogEntry.objects.get(object_id=str(job.pk)).get_change_message() == "Resumed after the hold."
    page = admin.post(resume_url(job), follow=True)
    assert "was not held." in page.content.decode()
    assert LogEntry.objects.count() == 1


def test_resume_needs_a_post_with_a_token_and_the_right_to_change_jobs(admin: Client) -> None:
    job = a_held_job()
    admin.get(resume_url(job))
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_job", "run_job", "view_run"]))
    client = Client()
    client.force_login(viewer)
    assert client.post(resume_url(job)).status_code == 403
    assert resume_url(job) not in client.get(NOW).content.decode()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("chief"))
    assert strict.post(resume_url(job)).status_code == 403
    assert state_of(job).held_at is not None


def test_resume_by_command_is_recorded() -> None:
    job = a_held_job()
    assert manage("resume", "--job", "import") == "“import”: resumed; it starts with the next tick if it is due.\n"
    assert state_of(job).held_at is None
    [entry] = AuditEntry.objects.entries_of_row(job)
    assert (entry.actor, str(entry)) == (command_actor("resume"), "Resumed after the hold.")
    with pytest.raises(SystemExit) as ended:
        manage("resume", "--job", str(job.pk))
    assert ended.value.code == 1
    assert AuditEntry.objects.entries_of_row(job).count() == 1


def test_the_command_jobs_lists_held_jobs() -> None:
    a_held_job()
    a_job(name="other one")
    lines = manage("jobs", "--state", "held").splitlines()
    assert len(lines) == 2
    assert "held" in lines[1] and "It has been held since run 1 failed." in lines[1]
    found = json.loads(manage("jobs", "--state", "held", "--json"))
    assert (found["state"], found["next_run"]) == ("held", None), "nobody knows when it will be resumed"


def test_the_form_takes_both_rules_and_names_what_is_missing(admin: Client) -> None:
    job = a_job()
    form = open_form(admin, job)
    page = admin.post(url(job), {**form, "catch_up": CatchUp.EACH, "hold_on_failure": "on"})
    assert list(errors(page)) == ["misfire_grace_seconds"]
    page = admin.post(
        url(job), {**form, "catch_up": CatchUp.EACH, "misfire_grace_seconds": "60", "hold_on_failure": "on"}
    )
    job.refresh_from_db()
    assert (job.catch_up, job.hold_on_failure) == (CatchUp.EACH, True)

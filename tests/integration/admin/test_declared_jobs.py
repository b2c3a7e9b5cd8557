"""The page of a declared job: declared fields are read-only, other fields and "enabled" can be changed."""

from __future__ import annotations

from typing import Any

from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from chroniker.models import Job, JobDependency, Run
from tests.support.admin_pages import fields, open_form, url
from tests.support.declared_app import Shop
from tests.support.factories import a_dependency, a_job

SCHEDULE = (
    "frequency",
    "cron",
    "params",
    "run_at_0",
    "starts_at_0",
    "ends_at_0",
    "timezone",
    "dst_gap",
    "jitter_seconds",
)


def declared(shop: Shop, more: str = "") -> Job:
    shop.jobs(f'night = chroniker.job(name="night", command="noop", cron="0 3 * * *"{more})')
    shop.sync()
    return Job.objects.get(name="night")


def test_command_and_schedule_are_shown_read_only(admin: Client, shop: Shop) -> None:
    job = declared(shop)
    html = admin.get(url(job)).content.decode()
    assert f"This job is declared in {shop.name}.jobs.night (" in html and "jobs.py:" in html
    assert "0 3 * * *" in html
    form = open_form(admin, job)
    assert not {"name", "command", "args", "raw_command", *SCHEDULE} & form.keys()
    admin.post(url(job), {**form, "name": "other", "cron": "* * * * *", "command": "fails", "max_retries": "2"})
    job.refresh_from_db()
    assert (job.name, job.cron, job.command, job.max_retries) == ("night", "0 3 * * *", "noop", 2)


def test_only_declared_fields_are_read_only(admin: Client, shop: Shop) -> None:
    job = declared(shop, ', timeout_seconds=7, group="reports"')
    form = open_form(admin, job)
    assert not {"timeout_seconds", "group"} & form.keys() and "max_retries" in form


def test_it_can_be_enabled_disabled_run_and_stopped(admin: Client, shop: Shop) -> None:
    job = declared(shop)
    form = open_form(admin, job)
    assert form.pop("enabled") == "on"
    assert admin.post(url(job), form).status_code == 302
    assert not Job.objects.get().enabled
    chosen: dict[str, Any] = {"action": "enable", "_selected_action": [str(job.pk)]}
    admin.post(reverse("admin:chroniker_job_changelist"), chosen)
    assert Job.objects.get().enabled
    admin.post(reverse("admin:chroniker_job_run", args=[job.pk]))
    run = Run.objects.get()
    admin.post(reverse("admin:chroniker_job_stop", args=[job.pk]))
    run.refresh_from_db()
    assert run.stop_requested_at is not None
    assert "1 unchanged" in shop.sync()


def test_an_invalid_declaration_does_not_prevent_disabling_the_job(admin: Client, shop: Shop) -> None:
    job = declared(shop)
    Job.objects.update(command="is_gone", cron="61 * * * *")
    form = open_form(admin, job)
    form.pop("enabled")
    assert admin.post(url(job), form).status_code == 302
    job.refresh_from_db()
    assert not job.enabled


def test_errors_of_editable_fields_are_still_shown(admin: Client, shop: Shop) -> None:
    job = declared(shop)
    page: Any = admin.post(url(job), {**open_form(admin, job), "executor": "nowhere"})
    assert "nowhere" in page.context_data["adminform"].form.errors["executor"][0]


def test_its_dependencies_are_read_only_if_they_are_declared(admin: Client, shop: Shop) -> None:
    early = a_job(name="early")
    job = declared(shop, ', after=["early"]')
    page = admin.get(url(job))
    assert "early" in page.content.decode()
    assert not [name for name in fields(page) if name.endswith("-dependee")]
    admin.post(url(job), {**open_form(admin, job), "dependencies-TOTAL_FORMS": "0", "dependencies-INITIAL_FORMS": "0"})
    assert JobDependency.objects.get().dependee == early


def test_its_dependencies_are_editable_if_they_are_not_declared(admin: Client, shop: Shop) -> None:
    job = declared(shop)
    a_dependency(job, a_job(name="early"))
    assert "dependencies-0-dependee" in fields(admin.get(url(job)))


def test_deleting_it_is_refused_with_the_reason_until_its_declaration_is_gone(admin: Client, shop: Shop) -> None:
    job = declared(shop)
    address = reverse("admin:chroniker_job_delete", args=[job.pk])
    assert (
        f"the declaration of “night” in {shop.name}.jobs.night (remove it first" in admin.get(address).content.decode()
    )
    admin.post(address, {"post": "yes"})
    chosen: dict[str, Any] = {"action": "delete_selected", "_selected_action": [str(job.pk)], "post": "yes"}
    admin.post(reverse("admin:chroniker_job_changelist"), chosen)
    assert Job.objects.filter(pk=job.pk).exists()
    shop.jobs("")
    shop.sync()
    page = admin.get(url(job))
    assert "was removed, so the job was disabled" in page.content.decode() and "cron" in fields(page)
    admin.post(address, {"post": "yes"})
    assert not Job.objects.filter(pk=job.pk).exists()


def test_a_job_that_is_declared_during_the_confirmation_is_not_deleted(
    admin: Client, shop: Shop, monkeypatch: Any
) -> None:
    from chroniker.admin.jobs import deletion

    job = declared(shop)
    monkeypatch.setattr(
        deletion, "fetch_deletion_consequences", lambda jobs: ([], {}, [])
    )  # as it was a moment earlier
    response = admin.post(reverse("admin:chroniker_job_delete", args=[job.pk]), {"post": "yes"})
    [shown] = [str(message) for message in get_messages(response.wsgi_request)]
    assert "declared in code and would be created again: “night”" in shown
    assert Job.objects.filter(pk=job.pk).exists()


def test_a_release_without_the_declaration_shows_at_least_the_schedule_as_fixed(admin: Client, shop: Shop) -> None:
    job = declared(shop, ", timeout_seconds=7")
    shop.jobs("")  # the web server runs another release than the one that synced
    form = open_form(admin, job)
    assert not {"name", "command", *SCHEDULE} & form.keys() and "timeout_seconds" in form

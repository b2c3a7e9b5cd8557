from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from chroniker.models import Job, JobDependency
from tests.support.admin_pages import errors, open_form, url
from tests.support.factories import a_booked_job, a_dependency


def waiting_for(client: Client, job: Job, *dependees: Job, **changes: str) -> Any:
    """Save the form of ``job`` with these dependencies added."""
    form = open_form(client, job)
    kept = int(form["dependencies-INITIAL_FORMS"])
    for number, dependee in enumerate(dependees, kept):
        form |= {f"dependencies-{number}-dependee": str(dependee.pk), f"dependencies-{number}-dependent": str(job.pk)}
        form |= {f"dependencies-{number}-wait_for_success": "on"}
    form["dependencies-TOTAL_FORMS"] = str(kept + len(dependees))
    return client.post(url(job), {**form, **changes})


def test_a_dependency_can_be_added(admin: Client) -> None:
    job, dependee = a_booked_job(), a_booked_job()
    assert waiting_for(admin, job, dependee).status_code == 302
    found = JobDependency.objects.get()
    assert (found.dependent, found.dependee) == (job, dependee)
    assert (found.wait_for_success, found.wait_for_completion) == (True, False)


def test_a_job_cannot_wait_for_itself(admin: Client) -> None:
    job = a_booked_job()
    assert "cannot wait for itself" in errors(waiting_for(admin, job, job))["dependee"][0]
    assert not JobDependency.objects.exists()


def test_a_circular_dependency_is_refused_and_named(admin: Client) -> None:
    load, clean, report = (a_booked_job(name=name) for name in ("load", "clean", "report"))
    a_dependency(clean, load)
    a_dependency(report, clean)
    error = errors(waiting_for(admin, load, report))["dependee"][0]
    assert "“load” → “report” → “clean” → “load”" in error
    assert JobDependency.objects.count() == 2


def test_the_error_is_at_the_dependency_that_closes_the_cycle(admin: Client) -> None:
    load, clean, other = (a_booked_job(name=name) for name in ("load", "clean", "other"))
    a_dependency(clean, load)
    page = waiting_for(admin, load, other, clean)
    formset = page.context_data["inline_admin_formsets"][0].formset
    assert [bool(form.errors) for form in formset.forms] == [False, True]


def test_a_dependency_that_the_form_deletes_closes_no_cycle(admin: Client) -> None:
    load, clean = a_booked_job(name="load"), a_booked_job(name="clean")
    a_dependency(load, clean)
    assert waiting_for(admin, load, **{"dependencies-0-DELETE": "on"}).status_code == 302
    assert waiting_for(admin, clean, load).status_code == 302
    assert JobDependency.objects.get().dependent == clean


def test_the_same_dependency_twice_is_refused(admin: Client) -> None:
    job, dependee = a_booked_job(), a_booked_job()
    assert waiting_for(admin, job, dependee, dependee).status_code == 200
    assert not JobDependency.objects.exists()


def test_jobs_to_wait_for_are_found_by_a_part_of_their_name(admin: Client) -> None:
    a_booked_job(name="nightly import")
    question = {"term": "import", "app_label": "chroniker", "model_name": "jobdependency", "field_name": "dependee"}
    answer = admin.get(reverse("admin:autocomplete"), question).json()
    assert [found["text"] for found in answer["results"]] == ["nightly import"]

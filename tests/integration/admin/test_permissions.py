"""Permissions: the addresses of jobs and runs for each kind of user, by GET, by POST, and without a CSRF token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from chroniker.models import Job, Run
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job

VIEWER = ("view_job", "view_run")
PEOPLE = {
    "anonymous": None,
    "staff without rights": (),
    "viewer": VIEWER,
    "may run": ("run_job",),
    "may stop": ("stop_job",),
    "viewer who may run": (*VIEWER, "run_job"),
    "viewer who may stop": (*VIEWER, "stop_job"),
    "editor": ("change_job", "view_job"),
    "superuser": "all",
}
MAY_RUN = {"may run", "viewer who may run", "superuser"}
MAY_STOP = {"may stop", "viewer who may stop", "superuser"}
SEES_JOBS = {"viewer", "viewer who may run", "viewer who may stop", "editor", "superuser"}
SEES_RUNS = SEES_JOBS - {"editor"}


@pytest.fixture(params=PEOPLE)
def person(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def browser(person: str, staff: Callable[..., Client], *, strict: bool = False) -> Client:
    rights: Any = PEOPLE[person]
    client = Client(enforce_csrf_checks=strict)
    if rights == "all":
        client.force_login(User.objects.create_superuser("root"))
    elif rights is not None:
        return staff(*rights, strict=strict)
    return client


def of_job(name: str, job: Job) -> str:
    return reverse(f"admin:chroniker_job_{name}", args=[job.pk])


def an_open_run() -> Run:
    return run_now(a_booked_job(), requested_by="a test")


def test_only_a_post_with_the_right_to_run_starts_a_run(person: str, staff: Callable[..., Client]) -> None:
    job = a_booked_job()
    response = browser(person, staff).post(of_job("run", job))
    assert Run.objects.count() == (person in MAY_RUN)
    assert LogEntry.objects.count() == (person in MAY_RUN)
    assert response.status_code == (302 if person in MAY_RUN or person == "anonymous" else 403)


def test_only_a_post_with_the_right_to_stop_stops_a_run(person: str, staff: Callable[..., Client]) -> None:
    run = an_open_run()
    browser(person, staff).post(reverse("admin:chroniker_run_stop", args=[run.pk]))
    run.refresh_from_db()
    assert (run.stop_requested_at is not None) == (person in MAY_STOP)
    other = an_open_run()
    browser("anonymous", staff).post(of_job("stop", other.job))
    other.refresh_from_db()
    assert other.stop_requested_at is None


def test_the_job_s_stop_button_needs_the_same_permission(person: str, staff: Callable[..., Client]) -> None:
    run = an_open_run()
    browser(person, staff).post(of_job("stop", run.job))
    run.refresh_from_db()
    assert (run.stop_requested_at is not None) == (person in MAY_STOP)


def test_a_get_changes_nothing_for_any_person(person: str, staff: Callable[..., Client]) -> None:
    run = an_open_run()
    client = browser(person, staff)
    for address in (
        of_job("run", a_booked_job()),
        of_job("stop", run.job),
        reverse("admin:chroniker_run_stop", args=[run.pk]),
    ):
        assert client.get(address).status_code in (200, 302, 403)  # 200: the page asks
    run.refresh_from_db()
    assert run.stop_requested_at is None
    assert Run.objects.count() == 1


def test_a_post_without_a_csrf_token_changes_nothing(person: str, staff: Callable[..., Client]) -> None:
    run = an_open_run()
    client = browser(person, staff, strict=True)
    for address in (
        of_job("run", a_booked_job()),
        of_job("stop", run.job),
        reverse("admin:chroniker_run_stop", args=[run.pk]),
    ):
        assert client.post(address).status_code == 403
    run.refresh_from_db()
    assert run.stop_requested_at is None
    assert Run.objects.count() == 1


def test_pages_need_permissions_and_anonymous_users_are_redirected_to_the_login(
    person: str, staff: Callable[..., Client]
) -> None:
    run = an_open_run()
    client = browser(person, staff)
    pages = {
        reverse("admin:chroniker_job_changelist"): SEES_JOBS,
        of_job("change", run.job): SEES_JOBS,
        reverse("admin:chroniker_run_changelist"): SEES_RUNS,
        reverse("admin:chroniker_run_change", args=[run.pk]): SEES_RUNS,
        reverse("admin:chroniker_run_log", args=[run.pk]): SEES_RUNS,
    }
    for page, allowed in pages.items():
        response = client.get(page)
        if person == "anonymous":
            assert response.status_code == 302 and "/login/" in response["Location"]
        else:
            assert response.status_code == (200 if person in allowed else 403), page


def test_a_refused_live_request_gets_json(person: str, staff: Callable[..., Client]) -> None:
    run = an_open_run()
    client = browser(person, staff)
    questions = {
        f"{reverse('admin:chroniker_job_preview')}?frequency=CRON": SEES_JOBS,
        reverse("admin:chroniker_run_output", args=[run.pk]): SEES_RUNS,
    }
    for question, allowed in questions.items():
        response = client.get(question)
        assert response.status_code == (200 if person in allowed else 403), question
        assert response["Content-Type"] == "application/json"
        assert "no-store" in response["Cache-Control"]
        assert ("error" in response.json()) == (person not in allowed)


def test_buttons_are_shown_only_with_their_permission(staff: Callable[..., Client]) -> None:
    job = an_open_run().job
    page = of_job("change", job)
    run, stop = (f'formaction="{of_job(name, job)}"' for name in ("run", "stop"))
    for rights, expected in {(): (False, False), ("run_job",): (True, False), ("stop_job",): (False, True)}.items():
        html = staff("view_job", *rights).get(page).content.decode()
        assert (run in html, stop in html) == expected


def test_not_even_a_superuser_adds_changes_or_deletes_a_run(admin: Client) -> None:
    run = an_open_run()
    assert admin.get("/admin/chroniker/run/add/").status_code == 403
    assert admin.post(f"/admin/chroniker/run/{run.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin.post(f"/admin/chroniker/run/{run.pk}/change/", {"status": "LOST"}).status_code == 403
    assert Run.objects.filter(pk=run.pk, status="CLAIMED").exists()

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import pauses
from chroniker.models import Group, Job, RunHour
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_due_job, started

NOW = "/admin/chroniker/job/now/"


def logged_in(*permissions: str) -> Client:
    user = User.objects.create_user(f"with {' '.join(permissions)}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def some_work(count: int) -> None:
    group = Group.objects.create(name=f"group {count}", limit=1)
    for number in range(count):
        running = run_now(a_booked_job(name=f"running {count} {number}"), by="a test")
        lifecycle.renew(running.pk, running.token, started(running), (77, 13))
        run_now(a_booked_job(name=f"queued {count} {number}", group=group if number == 0 else None), by="a test")
        a_due_job(name=f"due {count} {number}", group=group)
        a_booked_job(name=f"later {count} {number}", cron="7 * * * *")
    job = Job.objects.get(name=f"running {count} 0")
    hour = database_now().replace(minute=0, second=0, microsecond=0)
    RunHour.objects.create(job=job, hour=hour, succeeded=1_980, failed=34, delay_2=100)


def test_it_shows_what_runs_what_waits_the_day_and_the_next_hour(admin: Client) -> None:
    some_work(1)
    html = admin.get(NOW).content.decode()
    assert "1 run is active" in html and "2 wait" in html
    assert "13 of 77" in html and "Stop the run of running 1 0?" in html
    assert "is full (1 of 1: queued 1 0)" in html
    assert "2,014" in html and "98.3 %" in html and "1.9 s" in html
    assert 'role="img" aria-label="Starts per minute in the next hour' in html


def test_it_costs_the_same_statements_for_forty_jobs_as_for_four(admin: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(NOW).status_code == 200
        return len(queries)

    some_work(1)
    statements()  # content types are cached from now on
    few = statements()
    some_work(10)
    assert statements() == few


def test_the_refresh_answers_the_changed_fragments_and_304_without_a_change(admin: Client) -> None:
    answer = admin.get(NOW, {"_live": ""}).json()
    assert "Nothing runs now." in answer["html"]["now-running"]
    assert admin.get(NOW, {"_live": answer["etag"]}).status_code == 304
    some_work(1)
    changed = admin.get(NOW, {"_live": answer["etag"]}).json()
    assert "running 1 0" in changed["html"]["now-running"] and changed["etag"] != answer["etag"]


def test_without_a_login_the_refresh_redirects_and_does_not_answer() -> None:
    assert Client().get(NOW, {"_live": ""}).status_code == 302


@pytest.mark.django_db
def test_buttons_and_links_need_their_permissions(db: None) -> None:
    some_work(1)
    html = logged_in("view_job").get(NOW).content.decode()
    assert "Stop the run" not in html and "Pause all" not in html and "Add job" not in html
    assert "/admin/chroniker/run/" not in html and "/admin/chroniker/host/" not in html
    html = logged_in("view_job", "stop_job", "pause_jobs", "add_job", "view_run").get(NOW).content.decode()
    assert "Stop the run" in html and "Pause all" in html and "Add job" in html and "/admin/chroniker/run/" in html
    assert logged_in("view_run").get(NOW).status_code == 403


def test_a_pause_is_in_the_bar_with_who_when_and_why(admin: Client) -> None:
    pauses.pause("ada", "database maintenance")
    html = admin.get(NOW).content.decode()
    assert "Paused by ada since" in html and "database maintenance" in html and "/job/pause/" in html


def test_a_job_with_a_past_schedule_or_an_error_does_not_break_it(admin: Client) -> None:
    job = a_booked_job(name="odd", cron="5 * * * *")
    Job.objects.filter(pk=job.pk).update(cron="nonsense")
    job.state.__class__.objects.filter(pk=job.pk).update(next_run=database_now() + dt.timedelta(minutes=2))
    assert admin.get(NOW).status_code == 200


def test_the_bar_is_on_djangos_own_pages_of_the_app_with_an_address_to_refresh_it(admin: Client) -> None:
    group = Group.objects.create(name="nightly")
    for page in ("add/", f"{group.pk}/change/", f"{group.pk}/delete/", f"{group.pk}/history/"):
        html = admin.get(f"/admin/chroniker/group/{page}").content.decode()
        assert 'aria-label="Scheduler health"' in html, page
        assert 'data-live-url="/admin/chroniker/job/pulse/?_live="' in html, page
    assert "ops-pulse" in admin.get("/admin/chroniker/job/pulse/", {"_live": ""}).json()["html"]


def test_the_index_of_the_app_leads_to_the_start_page_for_those_who_may_see_it(admin: Client) -> None:
    assert 'content="0; url=/admin/chroniker/job/now/"' in admin.get("/admin/chroniker/").content.decode()
    assert "http-equiv" not in logged_in("view_group").get("/admin/chroniker/").content.decode()


def test_before_the_first_run_it_lists_the_steps_that_are_missing(admin: Client) -> None:
    html = admin.get(NOW).content.decode()
    assert "3 steps until the first job runs." in html and "Nothing ticks yet." in html and "No job yet." in html
    job = a_booked_job()
    assert "2 steps until the first job runs." in admin.get(NOW).content.decode()
    run_now(job, by="a test")
    html = admin.get(NOW).content.decode()
    assert "until the first job runs" not in html and "No job yet." not in html

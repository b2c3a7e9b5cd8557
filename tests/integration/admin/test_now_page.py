from __future__ import annotations

import datetime as dt
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import pauses
from chroniker.insights import health_facts
from chroniker.lifecycle import Outcome
from chroniker.models import Group, Job, JobState, Run, RunTotal, Status, Ticker
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
        running = run_now(a_booked_job(name=f"running {count} {number}"), requested_by="a test")
        lifecycle.renew(running.pk, running.token, started(running), (77, 13))
        run_now(
            a_booked_job(name=f"queued {count} {number}", group=group if number == 0 else None), requested_by="a test"
        )
        a_due_job(name=f"due {count} {number}", group=group)
        a_booked_job(name=f"later {count} {number}", cron="7 * * * *")
    start = database_now().replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=count)
    RunTotal.objects.create(start=start, succeeded=1_980, failed=34, delay_2=100)


def test_it_shows_what_runs_what_waits_the_day_and_the_next_hour(admin: Client) -> None:
    some_work(1)
    a_tick(ago=1)
    html = admin.get(NOW).content.decode()
    assert "1 run is active" in html and "2 wait" in html
    assert "13 of 77" in html and '/stop/" aria-label="Stop running 1 0"' in html
    assert "is full (1 of 1: queued 1 0)" in html
    assert "2,014" in html and "98.3 %" in html and "1.9 s" in html
    assert 'role="img" aria-label="Starts per minute in the next hour' in html


@patch.object(health_facts, "CACHED_SECONDS", 600.0)
def test_it_costs_the_same_statements_for_forty_jobs_as_for_four(admin: Client) -> None:
    def statements() -> int:
        health_facts.clear_cached_health_facts()
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
    assert "Stop…" not in html and "Pause all" not in html and "Add job" not in html
    assert "/admin/chroniker/run/" not in html and "/admin/chroniker/host/" not in html
    html = logged_in("view_job", "stop_job", "pause_jobs", "add_job", "view_run").get(NOW).content.decode()
    assert "Stop…" in html and "Pause all" in html and "Add job" in html and "/admin/chroniker/run/" in html
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
    run_now(job, requested_by="a test")
    html = admin.get(NOW).content.decode()
    assert "until the first job runs" not in html and "No job yet." not in html


def a_tick(*, ago: float) -> None:
    """A process that ticks every 5 s, whose last pass was some seconds ago."""
    last = database_now() - dt.timedelta(seconds=ago)
    Ticker.objects.create(host="app-1", kind="beat", version="2", pid=7, period=5, last_at=last, pass_seconds=0.04)
    health_facts.clear_cached_health_facts()


def a_failing_job(**fields: Any) -> Run:
    """Its last run."""
    run = run_now(a_booked_job(**fields), requested_by="a test")
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED, exit_code=1))
    Run.objects.filter(pk=run.pk).update(error_line="no answer from s3cret-host")
    return run


def test_a_failing_job_is_named_with_its_error_and_one_click_from_its_output_and_a_new_run(admin: Client) -> None:
    run = a_failing_job(name="settle")
    health_facts.clear_cached_health_facts()
    html = admin.get(NOW).content.decode()
    assert "The scheduler does not tick." in html and "2 items" in html, "that comes before the failing job"
    a_tick(ago=1)
    html = admin.get(NOW).content.decode()
    assert "1 item needs attention." in html and "no answer from s3cret-host" in html
    again = f"/admin/chroniker/run/{run.pk}/again/"
    assert f'href="/admin/chroniker/run/{run.pk}/change/#output"' in html and f'formaction="{again}"' in html
    assert admin.post(again).status_code == 302 and Run.objects.filter(job=run.job, status=Status.CLAIMED).exists()


def test_the_error_of_a_job_hides_its_secrets(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_OF_BANK", "s3cret-host")
    a_failing_job(name="settle", secrets="BANK=env:HOST_OF_BANK")
    html = admin.get(NOW).content.decode()
    assert "no answer from" in html and "s3cret-host" not in html


def test_buttons_of_a_failing_job_need_their_permissions(db: None) -> None:
    run = a_failing_job(name="settle")
    html = logged_in("view_job").get(NOW).content.decode()
    assert "settle" in html and str(run.pk) not in html and "no answer" not in html
    html = logged_in("view_job", "view_run").get(NOW).content.decode()
    assert f"{run.pk}/change/" in html and "/again/" not in html


def test_when_nothing_ticks_the_first_sentence_and_every_page_say_so_with_the_command(admin: Client) -> None:
    a_failing_job()
    a_tick(ago=360)
    html = admin.get(NOW).content.decode()
    assert "The scheduler does not tick." in html and "The last tick was 6 min ago" in html and "cronserver" in html
    for page in ("job/", "run/", "host/", "group/", "group/add/", "calendar/", "outbox/", "monitor/", "job/pause/"):
        html = admin.get(f"/admin/chroniker/{page}").content.decode()
        assert "Nothing ticks, so no run starts." in html and "The last tick was 6 min ago" in html, page
    assert "ops-alarm" in admin.get("/admin/chroniker/job/pulse/", {"_live": ""}).json()["html"]


def test_before_the_first_tick_every_page_says_that_nothing_ticks(admin: Client) -> None:
    health_facts.clear_cached_health_facts()
    for page in ("job/", "run/", "host/", "outbox/"):
        html = admin.get(f"/admin/chroniker/{page}").content.decode()
        assert "Nothing ticks, so no run starts." in html and "No process has ticked yet." in html, page


def test_a_health_that_cannot_be_read_is_unknown_and_never_good(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(now: dt.datetime) -> None:
        raise OperationalError("no answer")

    a_failing_job(name="settle")
    monkeypatch.setattr(health_facts, "read_health_facts", broken)
    health_facts.clear_cached_health_facts()
    html = admin.get(NOW).content.decode()
    assert html.count("The health could not be read.") == 5 and "Health is unknown." in html
    assert '<li data-tone="good">' not in html and "settle" in html
    assert "Tick: unknown" in admin.get("/admin/chroniker/group/").content.decode()


def test_the_bar_of_each_page_counts_what_needs_a_person_beside_now(admin: Client) -> None:
    a_tick(ago=1)
    assert 'class="count"' not in admin.get("/admin/chroniker/job/").content.decode()
    a_failing_job(name="settle")
    a_due_job(name="late", minutes=10)
    broken = a_booked_job(name="broken")
    now = database_now()
    JobState.objects.filter(pk=broken.pk).update(schedule_error="no such zone", schedule_error_since=now)
    for _number in range(2):
        lost = run_now(a_booked_job(cron="0 0 1 1 *"), requested_by="a test")
        Run.objects.filter(pk=lost.pk).update(status=Status.LOST, finished_at=now)
    health_facts.clear_cached_health_facts()
    assert "5 items need attention." in admin.get(NOW).content.decode()
    for page in (NOW, "/admin/chroniker/job/", "/admin/chroniker/group/"):
        assert (
            'class="count"><span class="visually-hidden">Needs attention: </span>5<' in admin.get(page).content.decode()
        )
    assert ">5<" in admin.get("/admin/chroniker/job/pulse/", {"_live": ""}).json()["html"]["ops-attention"]


def test_more_than_twenty_items_are_counted_with_a_link(admin: Client) -> None:
    a_tick(ago=1)
    first = a_failing_job()
    for _number in range(20):
        JobState.objects.filter(pk=a_booked_job().pk).update(failures=1, failing_since=first.claimed_at)
    html = admin.get(NOW).content.decode()
    assert "21 items need attention." in html
    assert "and 1 more" in html and "/admin/chroniker/job/?show=attention" in html


@pytest.mark.parametrize(("page", "budget"), [(NOW, 17), ("/admin/chroniker/host/", 8)])
def test_its_statements_besides_those_of_the_health_and_of_the_login_are_within_the_budget(
    admin: Client, page: str, budget: int
) -> None:
    some_work(2)
    a_failing_job()
    admin.get(page)  # reads the health, which is kept for 3 s, and the content types
    with CaptureQueriesContext(connection) as queries:
        admin.get(page)
    own = [
        query["sql"] for query in queries if "chroniker_" in query["sql"] and "django_content_type" not in query["sql"]
    ]
    assert len(own) <= budget, "\n".join(own)

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.contrib.sessions.models import Session
from django.urls import reverse

from chroniker import lifecycle
from chroniker.models import Run
from chroniker.scheduler.manual_runs import run_now
from tests.browser.written_output import SHORT_TIMEOUT, write
from tests.support.factories import a_booked_job, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

LIST = "/admin/chroniker/job/"
HIDDEN = "Object.defineProperty(document, 'hidden', {get: () => window.isHidden !== false});"


def test_the_list_shows_the_start_and_the_progress_of_a_job(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    job = a_booked_job(name="backup", cron="0 0 1 1 *")
    page = open_page(LIST)
    state = page.locator(f'tr[data-key="{job.pk}"] .state')
    expect(state).to_have_text("Scheduled")
    run = run_now(job, requested_by="a test")
    lifecycle.renew(run.pk, run.token, started(run), (77, 13))
    expect(state).to_have_text("Running")
    expect(page.get_by_text("13 of 77")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Progress of backup")).to_have_js_property("value", 16)


def test_a_server_that_does_not_respond_is_shown(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page("about:blank", before=SHORT_TIMEOUT)
    page.route("**/*_live=*", lambda route: None)  # no response, and the connection stays open
    a_booked_job()
    page.goto(LIST)
    expect(page.get_by_text("The server does not answer.")).to_be_visible()


def test_the_page_of_a_running_run_sends_one_request_at_a_time(open_page: Callable[..., Page]) -> None:
    run = run_now(a_booked_job(), requested_by="a test")
    started(run)
    page, sent = open_page("about:blank"), list[str]()
    page.on("request", lambda request: sent.append(request.url) if request.resource_type == "fetch" else None)
    page.goto(reverse("admin:chroniker_run_change", args=[run.pk]))
    for number in range(3):
        write(run, 1, number, f"line {number}\n")
        page.get_by_text(f"line {number}").wait_for()
    assert sent and {url.partition("?")[0].rsplit("/", 2)[-2] for url in sent} == {"change"}


def test_a_hidden_tab_sends_no_requests_and_refreshes_when_shown(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    run = run_now(a_booked_job(), requested_by="a test")
    started(run)
    page = open_page(reverse("admin:chroniker_run_change", args=[run.pk]), before=HIDDEN)
    page.wait_for_load_state("networkidle")
    write(run, 1, 0, "written meanwhile\n")
    expect(page.locator(".l")).to_have_count(0)
    with page.expect_request(lambda request: "_after=" in request.url):
        page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'));")
    expect(page.get_by_role("log")).to_contain_text("written meanwhile")


def test_a_lost_session_is_shown(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    a_booked_job()
    page = open_page(LIST)
    Session.objects.all().delete()
    expect(page.get_by_text("You are logged out")).to_be_visible()


def test_run_and_stop_buttons(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    job = a_booked_job(name="backup")
    page = open_page(reverse("admin:chroniker_job_status", args=[job.pk]))
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".messagelist .success")).to_have_text("Run 1 of “backup” is queued.")
    run = Run.objects.get()
    started(run)
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Stop", exact=True).click()
    run.refresh_from_db()
    assert run.stop_requested_at is None
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("#job-state")).to_have_text("Stopping")


def test_the_job_s_page_shows_a_run_that_another_user_started(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    job = a_booked_job()
    page = open_page(reverse("admin:chroniker_job_status", args=[job.pk]))
    expect(page.locator("#job-recent").get_by_text("It has not run yet.")).to_be_visible()
    run = run_now(job, requested_by="somebody else")
    expect(page.locator("#job-recent").get_by_role("link", name="1", exact=True)).to_have_attribute(
        "href", reverse("admin:chroniker_run_change", args=[run.pk])
    )
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_hidden()

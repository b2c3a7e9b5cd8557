"""The refresh of the console's pages, on the start page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.contrib.sessions.models import Session

from chroniker import lifecycle
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

NOW = "/admin/chroniker/job/now/"
#: Requests that get no response fail after 0.2 s.
SHORT_TIMEOUT = "const real = AbortSignal.timeout; AbortSignal.timeout = () => real.call(AbortSignal, 200);"


def test_the_start_page_shows_the_start_and_the_progress_of_a_job(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    job = a_booked_job(name="backup", cron="0 0 1 1 *")
    run = run_now(job, requested_by="a test")
    page = open_page(NOW)
    expect(page.locator("#now-running")).to_contain_text("Nothing runs now.")
    lifecycle.renew(run.pk, run.token, started(run), (77, 13))
    expect(page.locator("#now-running")).to_contain_text("13 of 77")
    expect(page.get_by_role("progressbar", name="Progress of backup")).to_have_js_property("value", 13)


def test_rows_change_in_place_while_a_person_is_in_the_table_and_new_ones_wait(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    run = run_now(a_booked_job(name="backup"), requested_by="a test")
    nonce = started(run)
    page = open_page(NOW)
    stop = page.get_by_role("link", name="Stop backup")
    stop.focus()
    lifecycle.renew(run.pk, run.token, nonce, (77, 13))
    started(run_now(a_booked_job(name="cleanup"), requested_by="a test"))
    expect(page.locator("#now-running")).to_contain_text("13 of 77")
    expect(stop).to_be_focused()
    assert "cleanup" not in page.locator("#now-running").inner_text()
    page.get_by_role("button", name="Show the changes").click()
    expect(page.locator("#now-running")).to_contain_text("cleanup")


def test_a_server_that_does_not_respond_is_shown(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page("about:blank", before=SHORT_TIMEOUT)
    page.route("**/*_live=*", lambda route: None)  # no response, and the connection stays open
    page.goto(NOW)
    expect(page.get_by_text("The server does not answer.")).to_be_visible()


def test_a_lost_session_is_shown(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page(NOW)
    Session.objects.all().delete()
    expect(page.get_by_text("You are logged out")).to_be_visible()

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.urls import reverse

from chroniker import lifecycle
from chroniker.lifecycle import Outcome
from chroniker.models import Job, Status
from chroniker.scheduler import tick
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_durations_are_drawn_and_can_be_read_with_the_keyboard(
    open_page: Callable[..., Page], complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    job = a_booked_job(cron="0 0 1 1 *")
    for end in (Status.SUCCEEDED, Status.FAILED):
        run = run_now(job, by="a test")
        lifecycle.finish(run.pk, run.token, started(run), Outcome(end))
    page = open_page(reverse("admin:chroniker_job_change", args=[job.pk]))
    bars = page.locator(".chroniker-chart rect")
    expect(bars).to_have_count(2)
    fills = {bar.evaluate("bar => getComputedStyle(bar).fill") for bar in bars.all()}
    assert len(fills) == 2 and "rgb(0, 0, 0)" not in fills
    page.get_by_text("Show as a table").press("Enter")
    table = page.get_by_role("table", name="Durations")
    expect(table.get_by_role("row", name="#2")).to_contain_text("failed")
    assert [message for message in complaints if "404" not in message] == []


def test_a_job_is_cloned(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    job, load = a_booked_job(name="report", cron="0 3 * * *"), a_booked_job(name="load")
    a_dependency(job, load, wait_for_success=True)
    page = open_page(reverse("admin:chroniker_job_change", args=[job.pk]))
    page.get_by_role("link", name="Clone").click()
    expect(page.get_by_role("heading", name="Clone “report”")).to_be_visible()
    expect(page.get_by_label("Enabled")).not_to_be_checked()
    page.get_by_label("Name:", exact=True).fill("second report")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_contain_text("second report")
    clone = Job.objects.get(name="second report")
    assert (clone.cron, clone.enabled, clone.dependencies.get().dependee) == ("0 3 * * *", False, load)


def test_a_time_is_looked_up_with_the_keyboard(open_page: Callable[..., Page], complaints: list[str]) -> None:
    from playwright.sync_api import expect

    job = a_due_job(minutes=3, name="backup")
    (run,) = tick.tick().claimed
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED))
    assert run.scheduled_for is not None
    page = open_page(reverse("admin:chroniker_job_change", args=[job.pk]), width=390)
    page.get_by_role("link", name="Schedule history").press("Enter")
    page.get_by_label("Did it run at").fill(f"{run.scheduled_for:%Y-%m-%dT%H:%M:%S}")
    page.get_by_role("button", name="Look up").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("ran (succeeded).")
    page.get_by_role("status").get_by_role("link").press("Enter")
    expect(page.get_by_role("heading", level=1, name="backup #1")).to_be_visible()
    assert [message for message in complaints if "404" not in message] == []


def test_the_latest_scheduled_times_are_refreshed(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    job = a_due_job(minutes=3, name="backup")
    page = open_page(reverse("admin:chroniker_job_change", args=[job.pk]))
    table = page.get_by_role("table", name="Latest scheduled times")
    expect(table).to_contain_text("due")
    (run,) = tick.tick().claimed
    started(run)
    expect(table).to_contain_text("running")
    expect(table.get_by_role("link", name="#1").first).to_have_attribute(
        "href", reverse("admin:chroniker_run_change", args=[run.pk])
    )

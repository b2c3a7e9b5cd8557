from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.urls import reverse

from chroniker import lifecycle
from chroniker.models import Job, Status
from chroniker.tick import run_now
from tests.factories import a_booked_job, a_dependency, started

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_durations_are_drawn_and_can_be_read_with_the_keyboard(
    open_page: Callable[..., Page], complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    job = a_booked_job(cron="0 0 1 1 *")
    for end in (Status.SUCCEEDED, Status.FAILED):
        run = run_now(job, by="a test")
        lifecycle.finish(run.pk, run.token, started(run), end)
    page = open_page(reverse("admin:chroniker_job_change", args=[job.pk]))
    bars = page.locator(".chroniker-chart rect")
    expect(bars).to_have_count(2)
    fills = {bar.evaluate("bar => getComputedStyle(bar).fill") for bar in bars.all()}
    assert len(fills) == 2 and "rgb(0, 0, 0)" not in fills
    page.get_by_text("As a table").press("Enter")
    table = page.get_by_role("table", name="Durations")
    expect(table.get_by_role("row", name="#2")).to_contain_text("failed")
    assert [said for said in complaints if "404" not in said] == []


def test_a_clone_is_a_press_and_a_name_away(open_page: Callable[..., Page]) -> None:
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

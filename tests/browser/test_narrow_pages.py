"""The pages of the console on a phone: nothing that a person needs is cut off or hidden."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.models import Calendar, Job, Run
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

WIDTH = 400


@pytest.fixture
def job(_dummy: None) -> Job:
    options = [f"--option-number-{n} {n}" for n in range(9)]
    return a_booked_job(name="import", args=" ".join([*options, "--" + "long" * 30]))


def is_within(part: Locator, whole: Locator) -> bool:
    inner, outer = part.bounding_box(), whole.bounding_box()
    assert inner and outer
    end, last = inner["x"] + inner["width"], outer["x"] + outer["width"]
    bottom, lowest = inner["y"] + inner["height"], outer["y"] + outer["height"]
    return inner["x"] >= outer["x"] - 1 and end <= last + 1 and bottom <= lowest + 1


def test_no_line_of_a_command_ends_within_the_name_of_an_option(open_page: Callable[..., Page], job: Job) -> None:
    page = open_page(f"/admin/chroniker/job/{job.pk}/status/", width=WIDTH)
    command = page.locator(".ops-facts code").first
    words = command.locator(".ops-word")
    heights = [word.evaluate("element => element.offsetHeight") for word in words.all()]
    assert len(heights) == 10 and set(heights[:-1]) == {min(heights)}
    assert heights[-1] > min(heights) and is_within(words.last, command.locator(".."))  # it wraps all the same


def test_jobs_can_be_selected(open_page: Callable[..., Page], job: Job) -> None:
    page = open_page("/admin/chroniker/job/", width=WIDTH)
    page.get_by_role("checkbox", name="Select import").check()
    page.get_by_role("button", name="Run…").click()
    assert page.get_by_role("button", name="Run 1 job").is_visible()


def test_the_link_of_the_current_page_is_in_view(open_page: Callable[..., Page], job: Job) -> None:
    page = open_page("/admin/chroniker/run/reliability/", width=WIDTH)
    assert is_within(page.locator(".ops-pages [aria-current]"), page.locator(".ops-pages"))


def test_a_filter_below_a_list_is_shown_completely(open_page: Callable[..., Page], job: Job) -> None:
    page = open_page("/admin/chroniker/alert/", width=WIDTH)
    box = page.locator("#changelist-filter")
    assert is_within(box.get_by_role("link", name="backfill failed"), box)


def test_the_buttons_of_the_form_take_two_lines(open_page: Callable[..., Page], job: Job) -> None:
    page = open_page(f"/admin/chroniker/job/{job.pk}/change/", width=WIDTH)
    buttons = [each for each in page.locator(".ops-submit :is(input, a, button)").all() if each.is_visible()]
    assert [each.text_content() or each.get_attribute("value") for each in buttons] == [
        "Save", "Save and add another", "Save and continue editing", "Delete", "Undo changes",
    ]  # fmt: skip
    assert len({round(each.evaluate("element => element.offsetTop")) for each in buttons}) == 2
    assert all(is_within(each, page.locator(".ops-submit")) for each in buttons)


def test_the_bar_of_times_of_an_open_run_begins_with_what_goes_on(open_page: Callable[..., Page], job: Job) -> None:
    run = run_now(job, "somebody")
    started(run)
    Run.objects.update(scheduled_for=database_now() - dt.timedelta(hours=1))  # the first part is longer than the page
    page = open_page(f"/admin/chroniker/run/{run.pk}/change/", width=WIDTH)
    shown = page.get_by_role("region", name="Times as a bar")
    part = shown.locator("g text", has_text="running")
    assert is_within(part, shown)


def test_the_times_of_a_blackout_are_in_view(open_page: Callable[..., Page], job: Job) -> None:
    now, calendar = database_now(), Calendar.objects.create(name="holidays")
    calendar.blackouts.create(name="Christmas", starts_at=now, ends_at=now + dt.timedelta(days=1))
    page = open_page(f"/admin/chroniker/calendar/{calendar.pk}/change/", width=WIDTH)
    for name in ("starts_at_0", "starts_at_1", "ends_at_0", "ends_at_1"):
        assert is_within(page.locator(f"#id_blackouts-0-{name}"), page.locator("#blackouts-group"))

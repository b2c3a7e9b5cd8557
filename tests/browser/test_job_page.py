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


def test_a_job_is_cloned(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    job, load = a_booked_job(name="report", cron="0 3 * * *"), a_booked_job(name="load")
    a_dependency(job, load, wait_for_success=True)
    page = open_page(reverse("admin:chroniker_job_change", args=[job.pk]))
    page.locator("#job-actions summary").click()
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
    page.get_by_label("Date").fill(f"{run.scheduled_for:%Y-%m-%d}")
    page.get_by_label("Time", exact=True).fill(f"{run.scheduled_for:%H:%M}")
    page.get_by_role("button", name="Did it run?").press("Enter")
    expect(page.get_by_role("status").filter(has_text="Yes.")).to_contain_text("was merged")
    page.get_by_role("status").filter(has_text="Yes.").get_by_role("link").press("Enter")
    page.wait_for_url(f"**{reverse('admin:chroniker_run_change', args=[run.pk])}")
    assert [message for message in complaints if "404" not in message] == []


def test_the_preview_follows_the_fields_and_works_without_scripts(
    open_page: Callable[..., Page], complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    job = a_booked_job(name="backup", cron="0 3 * * *")
    address = reverse("admin:chroniker_job_change", args=[job.pk])
    page = open_page(address)
    preview = page.locator("#edit-preview")
    expect(page.get_by_role("button", name="Preview")).to_have_count(0)
    page.get_by_label("Enabled").uncheck()
    expect(preview).to_contain_text("The job is disabled: nothing starts it.")
    page.get_by_label("Enabled").check()
    page.get_by_label("Cron expression:").fill("30 4 * * *")
    expect(preview).to_contain_text("at 04:30 every day (UTC) instead of at 03:00 every day (UTC).")
    expect(page.locator("#edit-cron")).to_contain_text("minute: 30")
    page = open_page(address, java_script_enabled=False)
    page.get_by_label("Cron expression:").fill("30 4 * * *")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#edit-preview")).to_contain_text("at 04:30 every day (UTC) instead of")
    expect(page.get_by_label("Cron expression:")).to_have_value("30 4 * * *")
    assert Job.objects.get().cron == "0 3 * * *"
    assert [message for message in complaints if "404" not in message] == []


def test_durations_are_drawn_and_can_be_read_with_the_keyboard(
    open_page: Callable[..., Page], complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    job = a_booked_job(cron="0 0 1 1 *")
    for end in (Status.SUCCEEDED, Status.FAILED):
        run = run_now(job, requested_by="a test")
        lifecycle.finish(run.pk, run.token, started(run), Outcome(end))
    page = open_page(reverse("admin:chroniker_job_status", args=[job.pk]))
    expect(page.locator("#durations svg.plot [data-say]")).to_have_count(2)
    page.get_by_text("The same as a table").press("Enter")
    row = page.locator("#durations-table").get_by_role("row").filter(has_text="Failed")
    row.get_by_role("link", name="2").press("Enter")
    page.wait_for_url(f"**{reverse('admin:chroniker_run_change', args=[run.pk])}")
    assert [message for message in complaints if "404" not in message] == []


def test_selected_jobs_are_disabled_after_a_question(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    job, other = a_booked_job(name="backup"), a_booked_job(name="report")
    page = open_page("/admin/chroniker/job/?q=backup")
    page.get_by_label("Select backup").check()
    page.get_by_role("button", name="Disable…").click()
    expect(page.get_by_role("heading", name="Disable 1 job?")).to_be_visible()
    page.get_by_role("button", name="Disable 1 job").click()
    expect(page.locator(".messagelist .success")).to_contain_text("1 job was disabled.")
    assert page.url.endswith("?q=backup")
    assert [Job.objects.get(pk=each.pk).enabled for each in (job, other)] == [False, True]

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chroniker.models import Job, JobState

if TYPE_CHECKING:
    from playwright.sync_api import Page

ADD = "/admin/chroniker/job/add/"


def test_the_next_scheduled_times_are_shown_while_typing(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page(ADD)
    preview = page.locator("#edit-preview")
    expect(preview).to_contain_text("Enter a schedule")
    page.get_by_label("Cron expression:").fill("0 3 * * *")
    page.get_by_label("Time zone").fill("Asia/Tokyo")
    expect(preview).to_contain_text("at 03:00 every day (Asia/Tokyo)")
    expect(preview.get_by_role("row")).to_have_count(11)
    page.get_by_label("Cron expression:").fill("61 3 * * *")
    expect(preview).to_contain_text("“61”")
    expect(preview.get_by_role("row")).to_have_count(0)


def test_only_the_fields_of_the_frequency_are_shown(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page(ADD)
    shown = {"CRON": "Cron expression", "DAILY": "Rule parameters", "ONCE": "Run at"}
    for frequency, label in shown.items():
        page.get_by_label("Frequency").select_option(frequency)
        for other in shown.values():
            row = page.locator(".form-row", has_text=f"{other}:")
            expect(row).to_be_visible(visible=other == label)


OUTSIDE = """() => [...document.querySelectorAll(".ops-edit fieldset.module :is(input, select, textarea, a)")]
    .filter(control => control.checkVisibility() && !control.closest(".inline-group"))
    .map(control => [control.id, ...[control, control.closest("fieldset")].map(each => each.getBoundingClientRect())])
    .filter(([id, control, box]) => control.right > box.right).map(([id]) => id)"""


def test_the_inputs_stay_within_their_box_on_a_narrow_page(open_page: Callable[..., Page]) -> None:
    page = open_page("/admin/chroniker/job/add/", width=390)
    assert page.evaluate(OUTSIDE) == []


def test_a_new_job_has_a_next_run_at_once(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page(ADD)
    page.get_by_label("Name:").fill("backup")
    page.locator("#id_command").fill("noop")
    page.get_by_label("Cron expression:").fill("0 3 * * *")
    page.get_by_role("button", name="Save and continue editing").click()
    job = Job.objects.get(name="backup")
    expect(page.locator("#edit-preview")).to_contain_text("at 03:00 every day")
    expect(page.get_by_role("heading", name="backup")).to_contain_text("Scheduled")
    assert JobState.objects.get(pk=job.pk).next_run is not None


def test_the_line_of_the_next_scheduled_time_is_shown_while_typing(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page(ADD)
    page.get_by_label("Cron expression:").fill("0 3 * * *")
    page.locator("#id_command").fill("env_dump")
    page.locator("#id_args").fill('--flag {{ scheduled_for|date:"H:i" }}')
    preview = page.locator("#edit-preview")
    expect(preview).to_contain_text("The job runs manage.py env_dump --flag 03:00")
    page.locator("#id_args").fill("{{ scheduld_for }}")
    expect(preview).to_contain_text("Did you mean {{ scheduled_for }}?")

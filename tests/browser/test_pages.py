from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from chroniker import lifecycle
from chroniker.models import Channel, Group, LogChunk, Run
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

EVIL = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"


def a_running_run() -> Run:
    Group.objects.create(name="reports", limit=1)
    a_booked_job(name="watch", is_monitor=True, monitor_url="/shop/", monitor_description="Write to the customer.")
    job = a_booked_job(name=f"{EVIL} with quite a long name that has to go somewhere", args=f"'{EVIL}'")
    run = run_now(job, requested_by=EVIL)
    lifecycle.renew(run.pk, run.token, started(run, host="worker-1"), (77, 13))
    for stream in (0, 1, 2):
        LogChunk.objects.create(run=run, stream=stream, seq=0, text=f"{EVIL}{'x' * 500}\n", written_at=run.claimed_at)
    return run


def addresses(run: Run) -> list[str]:
    return [
        "/admin/chroniker/job/",
        "/admin/chroniker/job/add/",
        reverse("admin:chroniker_job_change", args=[run.job_id]),
        *(reverse(f"admin:chroniker_job_{name}", args=[run.job_id]) for name in ("schedule", "status", "runs", "code")),
        "/admin/chroniker/run/reliability/",
        "/admin/chroniker/run/",
        reverse("admin:chroniker_run_change", args=[run.pk]),
        "/admin/chroniker/host/",
        "/admin/chroniker/job/pause/",
        reverse("admin:chroniker_job_run_with", args=[run.job_id]),
        reverse("admin:chroniker_job_delete", args=[run.job_id]),
        "/admin/chroniker/monitor/",
        "/admin/chroniker/group/",
        "/admin/chroniker/calendar/add/",
        "/admin/chroniker/channel/",
        reverse("admin:chroniker_channel_change", args=[Channel.objects.create(name=EVIL, kind="SLACK").pk]),
        "/admin/chroniker/outbox/",
    ]


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_every_page_fits_its_width_and_the_strict_policy(
    open_page: Callable[..., Page], complaints: list[str], theme: str, width: int
) -> None:
    from playwright.sync_api import expect

    run = a_running_run()
    page = open_page("/admin/", width=width, color_scheme=theme)
    for address in addresses(run):
        page.goto(address)
        for log in page.get_by_role("log").all():
            expect(log).to_contain_text("onerror")
        assert page.title() != "taken"
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, address
    assert [message for message in complaints if "404" not in message] == []  # 404: the browser asks for a favicon


UNNAMED = """() => [...document.querySelectorAll("#content-main :is(input, select, textarea):not([type=hidden])")]
    .filter(input => input.checkVisibility() && !input.labels?.length && input.type !== "submit")
    .filter(input => !input.hasAttribute("aria-label") && !input.hasAttribute("aria-labelledby"))
    .filter(input => !input.matches("[name=q], .select2-search__field"))  // the admin's own
    .map(input => input.id || input.name)"""


def test_every_input_has_an_accessible_name(open_page: Callable[..., Page]) -> None:
    job = a_booked_job()
    a_dependency(job, a_booked_job(), wait_for_success=True)
    addresses = [
        reverse("admin:chroniker_job_change", args=[job.pk]),
        "/admin/chroniker/calendar/add/",
        "/admin/chroniker/channel/add/",
    ]
    for address in addresses:
        page = open_page(address)
        page.wait_for_load_state("networkidle")
        assert page.evaluate(UNNAMED) == [], address
        page.context.close()


def test_the_colours_have_enough_contrast_in_both_themes(open_page: Callable[..., Page]) -> None:
    """Contrast of the words that have a colour, by the WCAG's formula."""
    run = a_running_run()
    luminance = """
        colour => { const [r, g, b] = colour.match(/[0-9.]+/g).map(n => n / 255)
            .map(n => n <= 0.03928 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; }"""
    script = f"""element => {{ const luminance = {luminance};
        let below = element; // the first element underneath that is not transparent
        while (/, 0\\)$/.test(getComputedStyle(below).backgroundColor)) below = below.parentElement;
        const pair = [getComputedStyle(element).color, getComputedStyle(below).backgroundColor].map(luminance);
        return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05); }}"""
    for theme in ("light", "dark"):
        page = open_page(reverse("admin:chroniker_run_change", args=[run.pk]), color_scheme=theme)
        page.context.set_offline(True)  # a live update would replace the elements while they are measured
        badge, line = page.locator("#run-state .state"), page.locator(".ops-lines .c").first
        for tone in ("good", "bad", "busy", "wait", "idle"):
            badge.evaluate("(element, tone) => { element.dataset.tone = tone; }", tone)
            assert badge.evaluate(script) >= 4.5, (theme, tone)
        for word in page.locator(".ops-lines :is(.n, .c, .tag)").all():
            assert word.evaluate(script) >= 4.5, theme
        for colour in (*range(30, 38), *range(90, 98), *range(40, 48), *range(100, 108)):
            line.evaluate("(element, name) => { element.className = name; }", f"c a{colour}")
            assert line.evaluate(script) >= 4.5, (theme, colour)
        page.context.close()


def test_a_dependency_is_chosen_with_the_keyboard(open_page: Callable[..., Page], complaints: list[str]) -> None:
    from playwright.sync_api import expect

    job, other = a_booked_job(name="report"), a_booked_job(name="nightly import")
    page = open_page(reverse("admin:chroniker_job_change", args=[job.pk]))
    page.get_by_text("Add another Dependency").press("Enter")
    page.locator("#dependencies-0 .select2-selection").press("Enter")
    page.locator(".select2-dropdown .select2-search__field").fill("import")
    expect(page.locator(".select2-results__option--highlighted")).to_have_text("nightly import")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save and continue editing").press("Enter")
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert job.dependencies.get().dependee == other
    assert [message for message in complaints if "404" not in message] == []

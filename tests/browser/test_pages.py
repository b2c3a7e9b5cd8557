from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from chroniker import lifecycle
from chroniker.models import LogChunk, Run
from chroniker.tick import run_now
from tests.factories import a_booked_job, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

EVIL = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"


def a_running_run() -> Run:
    job = a_booked_job(name=f"{EVIL} with quite a long name that has to go somewhere", args=f"'{EVIL}'")
    run = run_now(job, by=EVIL)
    lifecycle.renew(run.pk, run.token, started(run, host="worker-1"), (77, 13))
    for stream in (0, 1, 2):
        LogChunk.objects.create(run=run, stream=stream, seq=0, text=f"{EVIL}{'x' * 500}\n", written_at=run.claimed_at)
    return run


def addresses(run: Run) -> list[str]:
    return [
        "/admin/chroniker/job/",
        "/admin/chroniker/job/add/",
        reverse("admin:chroniker_job_change", args=[run.job_id]),
        "/admin/chroniker/run/",
        reverse("admin:chroniker_run_change", args=[run.pk]),
        "/admin/chroniker/host/",
    ]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_anything_that_a_strict_policy_refuses_or_that_does_not_fit(
    open_page: Callable[..., Page], complaints: list[str], theme: str, width: int
) -> None:
    run = a_running_run()
    for address in addresses(run):
        page = open_page(address, width=width, color_scheme=theme)
        page.wait_for_load_state("networkidle")
        assert page.title() != "taken"
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, address
        page.context.close()
    assert [said for said in complaints if "404" not in said] == []  # 404: the browser asks for a favicon


def test_the_colours_can_be_read_in_both_themes(open_page: Callable[..., Page]) -> None:
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
    kinds = ["succeeded", "failed", "running", "queued", "waiting", "idle", "disabled", "stopped", "lost", "skipped"]
    for theme in ("light", "dark"):
        page = open_page(reverse("admin:chroniker_run_change", args=[run.pk]), color_scheme=theme)
        cell = page.locator('[data-cell$="-status"]')
        for kind in kinds:
            cell.evaluate("(element, kind) => { element.dataset.kind = kind; }", kind)
            assert cell.locator('[data-part="text"]').evaluate(script) >= 4.5, (theme, kind)
        for stream in page.locator(".chroniker-stream").all():
            assert stream.evaluate(script) >= 4.5, theme
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
    assert [said for said in complaints if "404" not in said] == []

"""The pages of the console with the data of a shop: axe, strict policy, narrow, no JavaScript, keyboard only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from chroniker.clock.database_clock import database_now
from tests.browser.console_pages import addresses
from tests.support import shop

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: The parts of a page that are ours. Django's header, sidebar, breadcrumbs, search field and inlines are left out.
OURS = {"include": [["#content"], [".ops-bar"]], "exclude": [["#searchbar"], ["th.original"]]}
#: Links, buttons and fields of the content that a person can reach with the tab key, each with a number.
REACHABLE = """() => [...document.querySelectorAll("#content :is(a[href], button, input, select, textarea, summary, "
        + "[tabindex='0'])")]
    .filter(each => each.checkVisibility() && !each.disabled && each.tabIndex >= 0)
    .filter(each => each.type !== "radio")
    .filter(each => !each.matches(".sortremove")) // Django's own
    .filter(each => !each.closest("details:not([open]) > :not(summary)"))
    .map((each, number) => { each.dataset.reached = number; return each.outerHTML.slice(0, 120); })"""
FOCUSED = """() => { const now = document.activeElement;
    return [now.dataset?.reached ?? null, now === document.body || !now.closest("#content")]; }"""
MOST_TABS = 400


@pytest.fixture(autouse=True)
def _shop(_dummy: None) -> None:
    shop.fill(database_now(), days=2)


def violations(page: Page) -> list[str]:
    """One line for each violation that axe finds in our parts of the page."""
    from axe_playwright_python.sync_playwright import Axe

    found: Any = Axe().run(page, context=OURS).response["violations"]
    return [
        f"{each['id']}: {node['target'][0]} {node['html'][:120]} {node.get('failureSummary', '')[:300]}"
        for each in found
        for node in each["nodes"]
    ]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    page.wait_for_load_state()
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


def faults(open_page: Callable[..., Page], complaints: list[str], **options: Any) -> Iterator[str]:
    """What is wrong with each page in this theme and width."""
    page = open_page("/admin/", **options)
    complaints.clear()
    for name, address in addresses().items():
        answer = page.goto(address)
        if answer is None or answer.status != 200:
            yield f"{name}: status {answer.status if answer else None}"
            continue
        yield from (f"{name}: {text}" for text in complaints if "404" not in text)  # the browser asks for a favicon
        if (pixels := overflow(page)) > 0:
            yield f"{name}: {pixels} pixels too wide"
        yield from (f"{name}: {violation}" for violation in violations(page))
        complaints.clear()  # also those about styles that axe adds


def test_every_page_is_accessible_and_keeps_the_strict_policy(
    open_page: Callable[..., Page], complaints: list[str]
) -> None:
    found = list(faults(open_page, complaints, color_scheme="light"))
    assert not found, "\n".join(found)


def test_every_page_fits_320_pixels(open_page: Callable[..., Page]) -> None:
    page = open_page("/admin/", width=320)
    wide = {}
    for name, address in addresses().items():
        page.goto(address)
        if (pixels := overflow(page)) > 0:
            wide[name] = pixels
    assert wide == {}


def test_the_list_of_jobs_fits_beside_the_sidebar(open_page: Callable[..., Page]) -> None:
    page = open_page(addresses()["jobs"])
    assert page.locator("#nav-sidebar").is_visible()
    wide = {}
    for width in (800, 1024, 1100, 1280, 1380):
        page.set_viewport_size({"width": width, "height": 900})
        if (pixels := overflow(page)) > 0:
            wide[width] = pixels
    assert wide == {}


@pytest.mark.nightly
@pytest.mark.parametrize("width", [1280, 400, 320])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_grid_of_themes_and_widths(
    open_page: Callable[..., Page], complaints: list[str], theme: str, width: int
) -> None:
    found = list(faults(open_page, complaints, color_scheme=theme, width=width))
    assert not found, "\n".join(found)


@pytest.mark.nightly
def test_every_page_is_readable_without_javascript(open_page: Callable[..., Page]) -> None:
    with_script = open_page("/admin/")
    without = open_page_again(open_page, with_script, java_script_enabled=False)
    for name, address in addresses().items():
        texts = []
        for page in (with_script, without):
            page.goto(address)
            texts.append(page.locator("#content").inner_text())
        assert without.locator("h1").first.is_visible(), name
        # A page may offer more with scripts (buttons, a filtered list), and must not lose its content without them.
        assert len(texts[1]) > 0.6 * len(texts[0]), name


def open_page_again(open_page: Callable[..., Page], first: Page, **options: Any) -> Page:
    """A second page with the session of the first."""
    base = first.url.split("/admin/")[0]
    context = first.context.browser.new_context(base_url=base, **options)  # type: ignore[union-attr]
    context.add_cookies(first.context.cookies())  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(first.url)
    return page


@pytest.mark.nightly
def test_everything_is_reached_with_the_tab_key(open_page: Callable[..., Page]) -> None:
    page = open_page("/admin/")
    # A hidden tab does not refresh: replaced parts would not count as reached.
    page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => true});")
    missed = {}
    for name, address in addresses().items():
        page.goto(address)
        parts: list[str] = page.evaluate(REACHABLE)
        page.evaluate("document.querySelector('#content-start').focus()")
        reached: set[int] = set()
        for _tab in range(min(len(parts) + 20, MOST_TABS)):
            page.keyboard.press("Tab")
            number, has_left = page.evaluate(FOCUSED)
            if number is not None:
                reached.add(int(number))
            elif has_left and reached:
                break
        lost = [part for number, part in enumerate(parts[: MOST_TABS - 20]) if number not in reached]
        if lost:
            missed[name] = lost[:5]
    assert missed == {}


def test_the_single_keys_open_pages_and_can_be_switched_off(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    pages = addresses()
    page = open_page(pages["graph"])
    page.keyboard.press("g")
    page.keyboard.press("f")
    page.wait_for_url(re.compile(f"{re.escape(pages['fleet'])}$"))  # until it is loaded: its script hears the next key
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.wait_for_timeout(300)  # the keys would have begun to open a page by then
    expect(page).to_have_url(re.compile(f"{re.escape(pages['fleet'])}$"))

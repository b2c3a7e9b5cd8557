"""The pages of the console in a theme of the admin: ``test_themes.py`` runs this file in a process for each theme."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from chroniker.clock.database_clock import database_now
from tests.browser.console_pages import addresses
from tests.browser.test_console import overflow
from tests.support import shop

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: The parts of a page that are ours, also where the theme has no ``#content``.
OURS = [[".ops-bar"], [".ops-head"], [".ops-card"], [".ops-chips"]]


@pytest.mark.parametrize("width", [1280, 400])
def test_every_page_fits_and_is_accessible(open_page: Callable[..., Page], width: int) -> None:
    shop.fill(database_now(), days=2)
    page = open_page("/admin/", width=width)
    found = []
    for name, address in addresses().items():
        answer = page.goto(address)
        if answer is None or answer.status != 200:
            found.append(f"{name}: status {answer.status if answer else None}")
            continue
        if (pixels := overflow(page)) > 0:
            found.append(f"{name}: {pixels} pixels too wide")
        found += [f"{name}: {violation}" for violation in _violations(page)]
    assert not found, "\n".join(found)


def _violations(page: Page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    response: Any = Axe().run(page, context={"include": OURS}).response
    return [
        f"{each['id']}: {node['target'][0]} {node['html'][:120]} {node.get('failureSummary', '')[:300]}"
        for each in response["violations"]
        for node in each["nodes"]
    ]

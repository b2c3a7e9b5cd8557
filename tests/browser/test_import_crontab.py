"""The page that imports a crontab: pasted, previewed, imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chroniker.models import Job

if TYPE_CHECKING:
    from playwright.sync_api import Page

CRONTAB = (
    "MAILTO=ops@example.com\n# Sends the report\n30 3 * * 1-5 /usr/bin/report --day yesterday\nno schedule at all\n"
)


def test_a_pasted_crontab_is_previewed_and_imported(open_page: Callable[..., Page], complaints: list[str]) -> None:
    from playwright.sync_api import expect

    page = open_page("/admin/chroniker/job/")
    page.get_by_text("Import, export").click()
    page.get_by_role("link", name="Import from a crontab…").click()
    page.locator("#id_text").fill(CRONTAB)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("would be imported")).to_be_visible()
    assert not Job.objects.exists()
    page.get_by_role("button", name="Import 1 job").click()
    expect(page.get_by_text("1 job was imported (lines with a command: 2).")).to_be_visible()
    assert Job.objects.get().name == "Sends the report"
    assert [text for text in complaints if "404" not in text] == []  # the browser asks for a favicon

"""A real Chromium on the admin, under a strict Content-Security-Policy. Without a Chromium no test is collected."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.browser import chromium
from tests.support import selection

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from chroniker.executors.dummy import DummyExecutor

# If skips are failures, a missing browser is a failure too.
collect_ignore_glob = [] if chromium.available() or selection.skips_are_failures() else ["test_*.py"]

Open = Callable[..., "Page"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # a long limit: speed is not tested

    # Playwright has an event loop in this thread, in which Django refuses to use the database.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium.path(), args=chromium.FLAGS)
        yield launched
        launched.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(autouse=True)
def _dummy(transactional_db: None, dummy: DummyExecutor) -> None:
    """The fixture ``dummy`` of ``tests.support.fixtures``; the live server sees committed rows only."""


@pytest.fixture
def complaints() -> list[str]:
    """Errors in the browser's console: violations of the policy, errors of scripts, failed requests."""
    return []


@pytest.fixture
def open_page(browser: Browser, live_server: Any, complaints: list[str]) -> Iterator[Open]:
    """``open_page("/admin/…", width=390, color_scheme="dark")``: a page with a superuser logged in."""
    from django.contrib.auth.models import User

    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    contexts = []

    def opened(address: str, *, width: int = 1280, before: str = "", **options: Any) -> Page:
        context = browser.new_context(base_url=live_server.url, viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        session = client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if before:
            page.add_init_script(before)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()

"""The process that ticks is frozen: each page shows it, with the time since when, until it ticks again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts
from chroniker.models import Host, HostService, Run, Status, Ticker
from tests.browser.console_pages import PAGES
from tests.support.factories import a_due_job
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.manage import Manage

NOW = "/admin/chroniker/job/now/"
ALARM = "Nothing ticks, so no run starts. The last tick was"


@pytest.mark.nightly
def test_a_frozen_tick_is_shown_on_every_page_until_it_ticks_again(
    open_page: Callable[..., Page], manage: Manage
) -> None:
    from playwright.sync_api import expect

    job = a_due_job()
    with manage.process("cronserver", "1") as process:
        wait_until(lambda: Run.objects.filter(status=Status.SUCCEEDED).exists(), what="the job has run")
        wait_until(lambda: Ticker.objects.exists(), what="a pass is recorded")
        a_live_worker()
        health_facts.clear_cached_health_facts()
        page = open_page(NOW)
        sentence = page.locator("#ops-sentence")
        expect(sentence).not_to_contain_text("does not tick")
        process.kill(signal.SIGSTOP)
        try:
            expect(sentence).to_contain_text("The scheduler does not tick.", timeout=180_000)
            expect(page.locator("#content")).to_contain_text("Start celery beat or manage.py cronserver")
            lists = [view for view, arguments in PAGES.values() if arguments is list and view != "chroniker_job_now"]
            pages = [
                *(reverse(f"admin:{view}") for view in lists),
                reverse("admin:chroniker_job_status", args=[job.pk]),
            ]
            assert [address for address in pages if not has_alarm(page, address)] == []
        finally:
            process.kill(signal.SIGCONT)
        expect(page.locator(".ops-alarm")).to_have_count(0, timeout=180_000)


def has_alarm(page: Page, address: str) -> bool:
    page.goto(address)
    return ALARM in page.locator(".ops-alarm").inner_text() and "manage.py cronserver" in page.content()


def a_live_worker() -> None:
    host, _is_new = Host.objects.get_or_create(name="batch-1", defaults={"last_seen": database_now()})
    HostService.objects.create(host=host, executor="default", worker="batch-1", last_seen=database_now())

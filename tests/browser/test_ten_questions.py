"""Ten questions of an operator: each is answered in plain words within three clicks from the start page."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts
from chroniker.lifecycle import Outcome
from chroniker.models import Job, JobState, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support import shop
from tests.support.factories import started

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

NOW = "/admin/chroniker/job/now/"
MOST_CLICKS = 3
STOPPED, LATE = "Report margins", "Rotate logs"


class Operator:
    """A person at the start page, whose clicks are counted. Reading, typing and scrolling are not counted."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0
        page.goto(NOW)

    def click(self, what: Locator) -> Operator:
        self.clicks += 1
        assert self.clicks <= MOST_CLICKS
        what.first.click()
        self.page.wait_for_load_state()
        return self

    def link(self, text: str, within: str = "#content", *, exact: bool = False) -> Operator:
        return self.click(self.page.locator(within).get_by_role("link", name=text, exact=exact))

    def to_page(self, text: str) -> Operator:
        return self.link(text, ".ops-bar", exact=True)

    def reads(self, *texts: str) -> None:
        from playwright.sync_api import expect

        for text in texts:
            expect(self.page.locator("#content")).to_contain_text(re.compile(text))


@pytest.fixture
def operator(open_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch) -> Operator:
    monkeypatch.setattr(health_facts, "STATEMENT_TIMEOUT_SECONDS", 60)  # speed is not tested
    health_facts.clear_cached_health_facts()
    now = database_now()
    shop.fill(now, days=2)
    JobState.objects.filter(job__name=LATE).update(next_run=now - dt.timedelta(minutes=10))
    run = run_now(Job.objects.get(name=STOPPED), requested_by="bert")
    nonce = started(run)
    lifecycle.request_stop(run.pk, requested_by="anna")
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.STOPPED))
    return Operator(open_page(NOW))


def test_what_failed_tonight(operator: Operator) -> None:
    count = operator.page.locator("#now-day .ops-stats a").first
    operator.click(count)
    operator.reads("Import supplier orders", "Failed", "ConnectionError: HTTP 503")


def test_why_has_a_job_not_run(operator: Operator) -> None:
    operator.reads("Warm the page cache", "waits for “Rebuild the search index” to end")
    operator.link("Warm the page cache", "#now-waiting")
    operator.reads("Waiting", "Rebuild the search index")


def test_why_has_a_disabled_job_not_run(operator: Operator) -> None:
    operator.to_page("Jobs")
    operator.page.get_by_label("Name, command or argument").fill("newsletter")
    operator.click(operator.page.get_by_role("button", name="Apply"))
    operator.reads("Send the newsletter", "Disabled")
    operator.link("Send the newsletter")
    operator.reads("[Dd]isabled")


@pytest.mark.parametrize(("minute", "answer"), [(0, r"Yes\."), (3, r"Nothing was due then")])
def test_did_it_run_at_a_time(operator: Operator, minute: int, answer: str) -> None:
    run = Run.objects.filter(job__name="Import supplier orders", status=Status.SUCCEEDED).order_by("-token")[3]
    assert run.scheduled_for is not None
    moment = run.scheduled_for + dt.timedelta(minutes=minute)
    operator.link("Import supplier orders", "#now-attention").link("Schedule history")
    operator.page.get_by_label("Date", exact=True).fill(f"{moment:%Y-%m-%d}")
    operator.page.get_by_label("Time", exact=True).fill(f"{moment:%H:%M}")
    operator.click(operator.page.get_by_role("button", name="Did it run?"))
    operator.reads(answer)


def test_what_runs_now_and_until_when(operator: Operator) -> None:
    row = operator.page.locator("#now-running tr", has_text="Import the catalogue")
    assert re.search(r"61 of 77.*ends in .+, (\w+ )?\d\d:\d\d", row.inner_text().replace("\n", " "))
    row = operator.page.locator("#now-running tr", has_text="Import stock levels")
    assert "usually" in row.inner_text()


def test_who_is_late(operator: Operator) -> None:
    late = operator.page.locator("#now-attention li", has_text=LATE)
    assert re.search(r"overdue|due since", late.inner_text(), re.IGNORECASE)
    operator.to_page("Jobs").link("Overdue")
    operator.reads(LATE, "Overdue")


def test_can_i_deploy_now(operator: Operator) -> None:
    operator.link("Pause all")
    operator.reads(
        r"5 runs are active", r"The last of them, .+, probably ends in .+, at (\w+ )?\d\d:\d\d", r"1 queued run"
    )


def test_which_worker_is_silent(operator: Operator) -> None:
    operator.click(operator.page.locator("#now-health li", has_text="Workers").get_by_role("link"))
    operator.reads("heavy@batch-2", "Silent")
    row = operator.page.locator("tr", has_text="heavy@batch-2")
    assert re.search(r"Silent.*since", row.first.inner_text().replace("\n", " "))


def test_what_will_an_edit_skip(operator: Operator) -> None:
    operator.link("Import supplier orders", "#now-attention").link("Edit", exact=True)
    operator.page.get_by_label("cron expression", exact=False).first.fill("0 3 * * *")
    operator.reads("dropped", r"\d+ runs? a day|a day")


def test_what_did_it_print_before_it_failed(operator: Operator) -> None:
    operator.reads("ConnectionError: HTTP 503")
    operator.click(
        operator.page.locator("#now-attention li", has_text="Import supplier orders").get_by_role("link", name="Output")
    )
    operator.reads("Traceback", "stored 200 rows", "raise ConnectionError")


def test_who_stopped_it(operator: Operator) -> None:
    operator.to_page("Runs")
    operator.page.get_by_label("State").select_option(label="Stopped")
    operator.click(operator.page.get_by_role("button", name="Apply"))
    operator.link(STOPPED)
    operator.reads("Stopped by anna after")

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts
from chroniker.lifecycle import Outcome
from chroniker.models import Job, JobState, Status, Ticker
from chroniker.scheduler.manual_runs import run_now
from chroniker.wording.states import state
from tests.support.admin_pages import rows
from tests.support.factories import a_booked_job, a_dependency, a_due_job, a_job, started, state_of
from tests.support.run_history import ended

LIST = "/admin/chroniker/job/"
#: Session and user, the frame (health and pause), the page, and the reasons of the jobs that wait.
MOST_STATEMENTS = 2 + 8 + 9 + 6


def shown_rows(client: Client, query: str = "") -> list[Any]:
    page: Any = client.get(LIST + query)
    return [row for section in page.context_data["sections"] for row in section.rows]


def many_jobs(count: int) -> None:
    """Jobs of all kinds: waiting, running, with a result, and never booked."""
    first = a_booked_job()
    for number in range(count - 1):
        job = a_due_job() if number % 3 else a_job()
        a_dependency(job, first, wait_for_success=True)
        if number % 4 == 1:
            run = run_now(a_booked_job(), requested_by="a test")
            lifecycle.renew(run.pk, run.token, started(run), (77, 13))


def test_the_list_costs_the_same_statements_for_a_hundred_jobs_as_for_five(admin: Client) -> None:
    addresses = [LIST, f"{LIST}?o=next", f"{LIST}?show=running", f"{LIST}?q=job", f"{LIST}?_live="]

    def statements() -> dict[str, int]:
        counts = {}
        for address in addresses:
            with CaptureQueriesContext(connection) as queries:
                assert admin.get(address).status_code == 200
            counts[address] = len(queries)
        return counts

    many_jobs(5)
    statements()  # content types are cached from now on
    few = statements()
    many_jobs(95)
    many = statements()  # a page that is full before the end of the list needs one statement less
    assert all(many[address] <= few[address] for address in addresses)
    assert few[LIST] <= MOST_STATEMENTS


def test_each_state_has_its_word(admin: Client) -> None:
    new, idle, off = a_job(), a_booked_job(cron="0 0 1 1 *"), a_booked_job(enabled=False)
    due, late, running, queued, aside = (
        a_due_job(),
        a_due_job(minutes=9),
        a_booked_job(),
        a_booked_job(),
        a_booked_job(),
    )
    started(run_now(running, requested_by="a test"))
    run_now(queued, requested_by="a test")
    lifecycle.suspend_schedule(state_of(aside), ValueError("no such day"))
    stopping = a_booked_job()
    run = run_now(stopping, requested_by="a test")
    started(run)
    lifecycle.request_stop(run.pk, "a test")
    retrying, failing = a_booked_job(max_retries=1), a_booked_job(cron="0 0 1 1 *")
    failed = run_now(retrying, requested_by="a test")
    lifecycle.finish(failed.pk, failed.token, started(failed), Outcome(Status.FAILED))
    JobState.objects.filter(pk=failing.pk).update(failures=2, failing_since=database_now())
    held = a_due_job(minutes=9)
    a_dependency(held, running, wait_for_completion=True)
    over = a_booked_job(frequency="ONCE", run_at=database_now() - dt.timedelta(hours=1), cron="")
    JobState.objects.filter(pk=over.pk).update(next_run=None, next_instant=None)
    words = {
        new: "Scheduled", idle: "Scheduled", off: "Disabled", due: "Due", late: "Overdue", running: "Running",
        queued: "Queued", aside: "Schedule error", stopping: "Stopping", retrying: "Retrying", failing: "Failing",
        held: "Waiting", over: "Ended",
    }  # fmt: skip
    JobState.objects.filter(pk=due.pk).update(next_run=database_now() - dt.timedelta(seconds=5))
    found = {row.job.pk: str(state(row.code).word) for row in shown_rows(admin)}
    assert found == {job.pk: word for job, word in words.items()}


def test_a_waiting_job_shows_its_dependency(admin: Client) -> None:
    dependee, dependent = a_booked_job(name="import"), a_due_job(name="report")
    a_dependency(dependent, dependee, wait_for_success=True)
    assert "waits for “import” to succeed" in admin.get(LIST).content.decode()


def test_progress_is_a_bar_and_a_text(admin: Client) -> None:
    run = run_now(a_booked_job(), requested_by="a test")
    lifecycle.renew(run.pk, run.token, started(run), (77, 13))
    html = admin.get(LIST).content.decode()
    assert "13 of 77" in html
    assert '<progress max="100" value="16"' in html


def test_the_schedule_is_in_words(admin: Client) -> None:
    a_booked_job(cron="0 3 * * *", timezone="Europe/Paris")
    a_booked_job(cron="0 4 * * *", timezone="UTC")
    assert "at 04:00 every day</small>" in admin.get(LIST).content.decode()  # the zone of the page is not repeated
    assert "at 03:00 every day (Europe/Paris)" in admin.get(LIST).content.decode()


def test_an_invalid_stored_schedule_does_not_break_the_list(admin: Client) -> None:
    job = a_booked_job()
    Job.objects.filter(pk=job.pk).update(cron="61 * * * *", timezone="Mars/Olympus", frequency="SOMETIMES")
    lifecycle.book_next_instants([job.pk], database_now())
    assert admin.get(LIST).status_code == 200
    assert admin.get(reverse("admin:chroniker_job_change", args=[job.pk])).status_code == 200


def test_names_arguments_and_errors_are_escaped(admin: Client) -> None:
    markup = "<script>alert(1)</script>"
    job = a_booked_job(name=f"n{markup}", args=f"a{markup}")
    other = a_due_job()
    a_dependency(other, job, wait_for_success=True)
    lifecycle.suspend_schedule(state_of(job), ValueError(markup))
    run = run_now(a_booked_job(name=f"r{markup}"), requested_by=markup)
    for address in (
        LIST,
        reverse("admin:chroniker_job_change", args=[job.pk]),
        reverse("admin:chroniker_run_change", args=[run.pk]),
        "/admin/chroniker/run/",
        reverse("admin:chroniker_job_delete", args=[job.pk]),
    ):
        html = admin.get(address).content.decode()
        assert markup not in html, address
        assert "&lt;script&gt;" in html, address


def test_the_lists_can_be_searched_and_filtered(admin: Client) -> None:
    good, bad = a_booked_job(name="good one"), a_booked_job(name="bad one", enabled=True)
    run = run_now(bad, requested_by="a test")
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED))
    JobState.objects.filter(pk=bad.pk).update(failures=1, failing_since=database_now())
    started(run_now(good, requested_by="a test"))
    shown = {
        f"{LIST}?q=good": good, f"{LIST}?show=failing": bad, f"{LIST}?show=running": good,
    }  # fmt: skip
    for address, job in shown.items():
        assert [getattr(row, "job", row) for row in rows(admin, address)] == [job], address


def test_a_row_has_the_last_runs_their_success_and_the_usual_duration(admin: Client) -> None:
    job = a_booked_job(cron="0 0 1 1 *")
    ended(job, *range(30, 4, -1), took=dt.timedelta(seconds=4))
    ended(job, 3, 2, status=Status.FAILED, took=dt.timedelta(seconds=2))
    JobState.objects.filter(pk=job.pk).update(p50=4.0)
    [row] = shown_rows(admin)
    assert (row.success_percentage, row.took, row.usual_duration) == ("90 %", "2 s", "usually 4 s")
    assert len(row.spark.bars) == 20
    assert row.spark.label == "Latest runs: 20; 18 succeeded, 2 failed"
    assert {bar.y > 17 for bar in row.spark.bars[-2:]} == {True}  # below the line
    assert {bar.y > 17 for bar in row.spark.bars[:-2]} == {False}


def test_a_row_offers_one_action(admin: Client, staff: Callable[..., Client]) -> None:
    jobs = {
        "run": a_booked_job(),
        "enable": a_booked_job(enabled=False),
        "stop": a_booked_job(),
        "edit": a_booked_job(),
    }
    run_now(jobs["stop"], requested_by="a test")
    lifecycle.suspend_schedule(state_of(jobs["edit"]), ValueError("no such day"))
    assert {row.action.code: row.job for row in shown_rows(admin)} == jobs
    assert {row.action for row in shown_rows(staff("view_job"))} == {None}
    html = staff("view_job").get(LIST).content.decode()
    assert "formaction" not in html and "Selected:" not in html


def test_the_addresses_of_a_row_are_those_of_the_pages(admin: Client) -> None:
    job = a_booked_job(command="noop")
    [run] = ended(job, 3)
    [row] = shown_rows(admin)
    pages = {name: f"job_{name}" for name in ("status", "change", "run_with", "schedule", "disable")}
    assert {name: getattr(row.links, name) for name in pages} == {
        name: reverse(f"admin:chroniker_{page}", args=[job.pk]) for name, page in pages.items()
    }
    assert row.links.last_run == reverse("admin:chroniker_run_change", args=[run.pk])


def test_a_job_without_a_schedule_says_so_once(admin: Client) -> None:
    a_booked_job(frequency="MANUAL", cron="")
    [row] = shown_rows(admin)
    assert row.schedule_in_words == "no schedule: started by hand or by a trigger" and row.reason == ""


def test_an_empty_list_and_an_empty_filter_have_texts(admin: Client) -> None:
    assert "No jobs yet." in admin.get(LIST).content.decode()
    a_booked_job()
    html = admin.get(f"{LIST}?q=nothing").content.decode()
    assert "No job matches." in html and "Show all." in html


def test_an_invalid_filter_is_not_a_server_error(admin: Client) -> None:
    for nonsense in ("?show=x", "?group=x", "?o=99", "?after=99", "?after=%00", "?q=%00", "?host=%00", "?unknown=1"):
        assert admin.get(LIST + nonsense).status_code == 200


def test_a_pause_is_shown_on_list_and_page(admin: Client) -> None:
    job = a_booked_job()
    with override_settings(CHRONIKER_PAUSED=True):
        for address in (LIST, reverse("admin:chroniker_job_change", args=[job.pk])):
            assert "Paused" in admin.get(address).content.decode()


def test_a_due_job_says_since_when_and_that_nothing_ticks(admin: Client) -> None:
    job = a_due_job(minutes=9)
    health_facts.clear_cached_health_facts()
    [row] = shown_rows(admin)
    assert re.fullmatch(r"Due since (\w+ )?\d\d:\d\d\. Nothing ticks\. No process has ticked yet\. .*", row.reason)
    assert row.reason_tone == "bad"
    now = database_now()
    Ticker.objects.create(host="here", kind="beat", version="2", pid=1, period=5, last_at=now, pass_seconds=0.1)
    JobState.objects.filter(pk=job.pk).update(next_run=now - dt.timedelta(seconds=3))
    health_facts.clear_cached_health_facts()
    [row] = shown_rows(admin)
    assert re.fullmatch(r"Due since (\w+ )?\d\d:\d\d; the next tick starts it\.", row.reason) and row.reason_tone == ""


@override_settings(SHOP_KEY="abc123")
def test_the_shown_jobs_are_exported_as_code(admin: Client) -> None:
    before = a_booked_job(name="before", cron="0 3 * * *", secrets="KEY=setting:SHOP_KEY", environment="A=abc123")
    a_dependency(a_booked_job(name="night", cron="0 4 * * *", queue="heavy"), before, wait_for_success=True)
    html = admin.get(LIST, {"q": "night"}).content.decode()
    address = re.search(r'href="([^"]*/job/code/[^"]*)"', html)
    assert address is not None
    answer = admin.get(address[1].replace("&amp;", "&"))
    source = answer.content.decode()
    assert answer["Content-Disposition"] == 'attachment; filename="jobs.py"'
    assert source.count("= job(") == 1 and 'after=["before"]' in source and "manage.py import_crontab" in html
    whole = admin.get(reverse("admin:chroniker_job_list_code")).content.decode()
    assert whole.count("= job(") == 2 and "setting:SHOP_KEY" in whole and "abc123" not in whole

from __future__ import annotations

import datetime as dt

from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import Job, JobState, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.admin_pages import rows
from tests.support.factories import a_booked_job, a_dependency, a_due_job, a_job, started

LIST = "/admin/chroniker/job/"


def live(client: Client, *jobs: Job) -> dict[str, dict[str, object]]:
    """The cells of these jobs by "id-column"."""
    answer = client.get(reverse("admin:chroniker_job_live"), {"ids": ",".join(str(job.pk) for job in jobs)})
    assert answer.status_code == 200
    return {name.removeprefix("job-"): cell for name, cell in answer.json()["cells"].items()}


def many_jobs(count: int) -> None:
    """Jobs of all kinds: waiting, running, with a result, and never booked."""
    first = a_booked_job()
    for number in range(count - 1):
        job = a_due_job() if number % 3 else a_job()
        a_dependency(job, first, wait_for_success=True)
        if number % 4 == 1:
            run = run_now(a_booked_job(), by="a test")
            lifecycle.renew(run.pk, run.token, started(run), (77, 13))


def test_the_list_costs_the_same_statements_for_a_hundred_jobs_as_for_five(admin: Client) -> None:
    addresses = [LIST, f"{LIST}?o=3", f"{LIST}?state=running", f"{LIST}?q=job"]

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
    assert statements() == few


def test_the_refresh_costs_the_same_statements_for_a_hundred_jobs_as_for_five(admin: Client) -> None:
    many_jobs(100)
    jobs = list(Job.objects.all()[:100])
    with CaptureQueriesContext(connection) as few:
        live(admin, *jobs[:5])
    with CaptureQueriesContext(connection) as many:
        assert len(live(admin, *jobs)) == 100 * 6
    assert len(many) == len(few)


def test_each_state_has_its_word(admin: Client) -> None:
    new, idle, off = a_job(), a_booked_job(cron="0 0 1 1 *"), a_booked_job(enabled=False)
    due, running, queued, aside = a_due_job(), a_booked_job(), a_booked_job(), a_booked_job()
    started(run_now(running, by="a test"))
    run_now(queued, by="a test")
    lifecycle.suspend_schedule(aside.pk, ValueError("no such day"))
    stopping = a_booked_job()
    run = run_now(stopping, by="a test")
    started(run)
    lifecycle.request_stop(run.pk, "a test")
    retrying = a_booked_job(max_retries=1)
    failed = run_now(retrying, by="a test")
    lifecycle.finish(failed.pk, failed.token, started(failed), Outcome(Status.FAILED))
    over = a_booked_job(frequency="ONCE", run_at=database_now() - dt.timedelta(hours=1), cron="")
    JobState.objects.filter(pk=over.pk).update(next_run=None, next_instant=None)
    words = {
        new: "new", idle: "idle", off: "disabled", due: "due", running: "running", queued: "queued",
        aside: "schedule error", stopping: "stopping", retrying: "retrying", over: "over",
    }  # fmt: skip
    cells = live(admin, *words)
    assert {job: cells[f"{job.pk}-state"]["text"] for job in words} == words


def test_a_waiting_job_shows_its_dependency(admin: Client) -> None:
    dependee, dependent = a_booked_job(name="import"), a_due_job(name="report")
    a_dependency(dependent, dependee, wait_for_success=True)
    assert "waits for “import” to succeed" in admin.get(LIST).content.decode()


def test_progress_is_a_bar_and_a_text(admin: Client) -> None:
    run = run_now(a_booked_job(), by="a test")
    lifecycle.renew(run.pk, run.token, started(run), (77, 13))
    html = admin.get(LIST).content.decode()
    assert "13 / 77 (16 %)" in html
    assert 'value="13" max="77"' in html


def test_the_schedule_is_in_words(admin: Client) -> None:
    a_booked_job(cron="0 3 * * *", timezone="Europe/Paris")
    assert "at 03:00 every day (Europe/Paris)" in admin.get(LIST).content.decode()


def test_an_invalid_stored_schedule_does_not_break_the_list(admin: Client) -> None:
    job = a_booked_job()
    Job.objects.filter(pk=job.pk).update(cron="61 * * * *", timezone="Mars/Olympus", frequency="SOMETIMES")
    lifecycle.book([job.pk], database_now())
    assert admin.get(LIST).status_code == 200
    assert admin.get(reverse("admin:chroniker_job_change", args=[job.pk])).status_code == 200


def test_names_arguments_and_errors_are_escaped(admin: Client) -> None:
    markup = "<script>alert(1)</script>"
    job = a_booked_job(name=f"n{markup}", args=f"a{markup}")
    other = a_due_job()
    a_dependency(other, job, wait_for_success=True)
    lifecycle.suspend_schedule(job.pk, ValueError(markup))
    run = run_now(a_booked_job(name=f"r{markup}"), by=markup)
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
    run = run_now(bad, by="a test")
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED))
    started(run_now(good, by="a test"))
    shown = {
        f"{LIST}?q=good": good, f"{LIST}?result=bad": bad, f"{LIST}?result=FAILED": bad,
        f"{LIST}?state=running": good, f"{LIST}?state=idle": bad,
    }  # fmt: skip
    for address, job in shown.items():
        assert [getattr(row, "job", row) for row in rows(admin, address)] == [job], address


def test_an_invalid_filter_is_not_a_server_error(admin: Client) -> None:
    for nonsense in ("?state=x", "?result=x", "?o=99", "?p=99"):
        assert admin.get(LIST + nonsense).status_code in (200, 302)
    for ids in ("", "x", "1,", "9" * 30, ",".join(["1"] * 101)):
        assert admin.get(reverse("admin:chroniker_job_live"), {"ids": ids}).status_code == 400


def test_a_pause_is_shown_on_list_and_page(admin: Client) -> None:
    job = a_booked_job()
    with override_settings(CHRONIKER_PAUSED=True):
        for address in (LIST, reverse("admin:chroniker_job_change", args=[job.pk])):
            assert "The scheduler is paused" in admin.get(address).content.decode()

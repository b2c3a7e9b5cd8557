"""The page that pauses all jobs or a group: it shows what still runs, and until when."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from chroniker.admin.shared import site_links
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations, pauses
from chroniker.insights import health_facts
from chroniker.models import Group, JobState, Lease, Run, Ticker
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_due_job, started

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

HOUR = dt.timedelta(hours=1)
PAUSE = "/admin/chroniker/job/pause/"


def open_work(admin: Client, address: str = PAUSE) -> str:
    found = re.search(r'<p class="ops-say"[^>]*><b>(.*?)</b></p>', admin.get(address).content.decode())
    assert found is not None
    return found[1]


def a_running_job(name: str, *, minutes: int, usual: float | None = None, group: Group | None = None) -> Run:
    job = a_booked_job(name=name, cron="0 0 1 1 *", group=group)
    JobState.objects.filter(pk=job.pk).update(p50=usual)
    run = run_now(job, requested_by="a test")
    started(run)
    Run.objects.filter(pk=run.pk).update(started_at=database_now() - minutes * dt.timedelta(minutes=1))
    return run


def test_nothing_runs(admin: Client) -> None:
    assert open_work(admin) == "No run is active."


def test_one_run_that_probably_ends(admin: Client) -> None:
    a_running_job("short", minutes=1, usual=600)
    assert re.fullmatch(r"1 run is active. It probably ends in [89] min, at (\w+ )?\d\d:\d\d.", open_work(admin))


def test_the_last_one_is_named_and_unknown_ends_and_queued_runs_are_counted(admin: Client) -> None:
    a_running_job("short", minutes=1, usual=600)
    by_progress = a_running_job("long", minutes=10, usual=60)
    Lease.objects.filter(run=by_progress).update(total_parts=100, total_parts_complete=10)
    a_running_job("late", minutes=5, usual=60)
    a_running_job("new", minutes=5)
    run_now(a_booked_job(name="queued", cron="0 0 1 1 *"), requested_by="a test")
    text = open_work(admin)
    assert text.startswith("4 runs are active. The last of them, long, probably ends in 1 h, at ")
    assert text.endswith("The end times of 2 runs are unknown. 1 queued run starts in spite of a pause.")


def test_a_job_is_not_named_to_a_user_without_the_right_to_view_jobs(staff: Callable[..., Client]) -> None:
    a_running_job("short", minutes=1, usual=600)
    a_running_job("secret <b>", minutes=1, usual=1200)
    hidden, changer, viewer = (open_work(staff("pause_jobs", *also)) for also in ((), ("change_job",), ("view_job",)))
    assert hidden.startswith("2 runs are active. The last of them probably ends in 1") and "secret" not in hidden
    assert all("The last of them, secret &lt;b&gt;, probably ends" in each for each in (changer, viewer))


def test_a_group_counts_its_own_runs(admin: Client) -> None:
    group = Group.objects.create(name="imports")
    a_running_job("theirs", minutes=1, usual=600, group=group)
    a_running_job("other", minutes=1, usual=600)
    assert open_work(admin, f"/admin/chroniker/group/{group.pk}/pause/").startswith("1 run is active.")


def test_all_parts_of_a_page_see_the_same_pause_and_the_next_page_another() -> None:
    with pauses.cache_global_pause():
        assert pauses.global_pause() is None
        pauses.pause("anna")
        assert pauses.global_pause() is None
    pause = pauses.global_pause()
    assert pause is not None and pause.paused_by == "anna"


@pytest.mark.parametrize(("method", "seen"), [("post", [None, "anna"]), ("get", [None, None])])
def test_a_request_that_may_change_the_pause_reads_it_each_time(method: str, seen: list[str | None]) -> None:
    found: list[str | None] = []

    def view(request: HttpRequest) -> HttpResponse:
        for _read in range(2):
            pause = pauses.global_pause()
            found.append(pause.paused_by if pause is not None else None)
            pauses.pause("anna")
        return HttpResponse()

    site_links._wrap_view_with_site("admin", view)(getattr(RequestFactory(), method)("/"))
    assert found == seen


def test_a_page_that_pauses_shows_it_at_once(admin: Client) -> None:
    answer = admin.post(PAUSE, {"pause": "1", "reason": "a deployment"}, follow=True)
    assert "a deployment" in answer.content.decode()
    assert "a deployment" not in admin.post(PAUSE, {"resume": "1"}, follow=True).content.decode()


def test_a_reason_is_the_same_with_and_without_facts_that_the_page_has_read() -> None:
    now = database_now()
    Ticker.objects.create(host="a", kind="beat", pid=1, period=5.0, pass_seconds=0.1, last_at=now - HOUR)
    due = a_due_job(name="due", minutes=10)
    queued = run_now(a_booked_job(name="queued", cron="0 0 1 1 *"), requested_by="a test").job
    Run.objects.update(claimed_at=now - dt.timedelta(minutes=10), executor="default", queue="gpu", dispatched_at=now)
    states = list(JobState.objects.filter(pk__in=[due.pk, queued.pk]).select_related("job__group"))
    health_facts.clear_cached_health_facts()
    seen = health_facts.get_cached_health_facts(now)
    assert seen is not None
    by_page, by_statements = (explanations.explain_why_not_running(states, now, snapshot=each) for each in (seen, None))
    assert by_page == by_statements
    texts = {pk: found.text for pk, found in by_page.items()}
    assert "nothing has ticked since" in texts[due.pk] and "No worker consumes the queue" in texts[queued.pk]

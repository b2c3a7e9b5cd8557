"""The timeline: past, present and expected runs, and collisions."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker.clock.database_clock import database_now
from chroniker.insights import timeline as insight
from chroniker.models import Group, Host, HostService, Job, JobState, Run, RunHour, Status, Trigger
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started

ADDRESS = "/admin/chroniker/job/timeline/"
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


def context(client: Client, **query: str) -> dict[str, Any]:
    response: Any = client.get(ADDRESS, query)
    assert response.status_code == 200
    found: dict[str, Any] = response.context_data
    return found


def test_on_the_first_day_the_page_says_that_nothing_ran_and_shows_what_is_expected(admin: Client) -> None:
    job = a_booked_job(name="first")
    text = "Nothing has run yet in this time range."
    shown = admin.get(ADDRESS).content.decode()
    assert text in shown and "first" in shown and "expected" in shown
    a_past_run(job, 1)
    assert text not in admin.get(ADDRESS).content.decode()


def a_past_run(job: Job, hours_ago: float, status: Status = Status.SUCCEEDED, **fields: Any) -> Run:
    begin = database_now() - hours_ago * HOUR
    token = JobState.objects.get(pk=job.pk).last_token + 1
    JobState.objects.filter(pk=job.pk).update(last_token=token, p50=600.0)
    values = {"worker": "batch-1", "claimed_at": begin, "started_at": begin, "finished_at": begin + 10 * MINUTE}
    return Run.objects.create(job=job, token=token, status=status, trigger=Trigger.MANUAL, **{**values, **fields})


def says(found: dict[str, Any]) -> list[str]:
    return [shape["say"] for lane in found["picture"].lanes for row in lane["rows"] for shape in row["shapes"]]


def test_past_present_and_expected_runs_are_bars(admin: Client) -> None:
    job = a_booked_job(name="report", cron="0 3 * * *")
    a_past_run(job, 5)
    bad = a_past_run(job, 2, Status.FAILED)
    run = run_now(job, "somebody")
    started(run, host="batch-1")
    found = context(admin)
    texts = " | ".join(says(found))
    assert re.search(r"report, [^|]*: succeeded after 10 min", texts)
    assert re.search(r"report, [^|]*: failed after 10 min", texts)
    assert "report: running since" in texts
    assert re.search(r"report: due [^|]*03:00, usually 10 min", texts)
    links = {shape["url"] for lane in found["picture"].lanes for row in lane["rows"] for shape in row["shapes"]}
    assert links == {"", *(reverse("admin:chroniker_run_change", args=[each.pk]) for each in (bad, run))}


@pytest.mark.parametrize(("by", "titles"), [("worker", ["batch-1"]), ("group", ["imports"]), ("job", [None])])
def test_rows_are_by_worker_job_or_group(admin: Client, by: str, titles: list[str | None]) -> None:
    job = a_booked_job(cron="0 3 * * *", group=Group.objects.create(name="imports", limit=2))
    a_past_run(job, 5)
    found = context(admin, by=by)
    assert [lane["head"] and lane["head"]["title"] for lane in found["picture"].lanes] == titles


def test_collisions_name_what_collides_and_for_how_long(admin: Client) -> None:
    group = Group.objects.create(name="imports", limit=1)
    for name in ("prices", "stock"):
        job = a_booked_job(name=name, cron="0 * * * *", group=group)
        JobState.objects.filter(pk=job.pk).update(p50=600.0)
    found = context(admin, span="6h")
    (row,) = found["collisions"]
    assert row["what"] == "Group “imports”: prices, stock" and row["wait"] == "10 min"
    assert (row["jobs"], row["places"]) == ("2", "1") and row["more"] >= 1
    assert "collisions</strong> ahead." in admin.get(f"{ADDRESS}?span=6h").content.decode()


def test_the_slots_of_the_live_workers_of_a_queue_are_its_places(admin: Client) -> None:
    for name in ("prices", "stock"):
        job = a_booked_job(name=name, cron="0 3 * * *")
        a_past_run(job, 5, executor="celery", queue="heavy")
    host = Host.objects.create(name="batch-1", last_seen=database_now())
    service = HostService.objects.create(
        host=host, executor="celery", worker="batch-1", last_seen=database_now(), queues=["heavy"], slots=1
    )
    assert [row["what"] for row in context(admin)["collisions"]] == ["Queue heavy: prices, stock"]
    assert context(admin)["picture"].lanes[0]["head"]["places"] == "1 slot"
    service.slots = 2
    service.save()
    assert context(admin)["collisions"] == []


def test_a_frequent_job_is_a_band_with_its_failures(admin: Client) -> None:
    job = a_booked_job(name="mails", cron="* * * * *")
    a_past_run(job, 1, Status.FAILED, finished_at=database_now() - HOUR + MINUTE)
    a_past_run(job, 2)
    JobState.objects.update(p50=5.0)
    hour = database_now().replace(minute=0, second=0, microsecond=0) - 3 * HOUR
    RunHour.objects.create(job=job, hour=hour, succeeded=59, failed=1)
    texts = says(context(admin))
    assert any("runs: 60, succeeded: 98.3 %" in text for text in texts)
    assert any("many runs expected" in text for text in texts)
    assert sum("failed after" in text for text in texts) == 1
    assert not any("succeeded after" in text for text in texts)


def test_the_picture_is_bounded_and_says_what_is_left_out(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in {"MAX_ROWS": 3, "MAX_BARS": 20, "MAX_RUNS": 12, "MAX_EXPECTED_RUNS": 9, "MAX_JOBS": 4}.items():
        monkeypatch.setattr(insight, limit, value)
    for number in range(6):
        job = a_booked_job(name=f"job {number}", cron="*/30 * * * *")
        for hours in range(1, 6):
            a_past_run(job, hours)
    found = context(admin, by="job")
    shown = [row for lane in found["picture"].lanes for row in lane["rows"]]
    assert len(shown) == 3 and sum(len(row["shapes"]) for row in shown) <= 20
    text = " ".join(found["left_out"])
    for part in (
        "3 rows with less running time than those shown are left out.",
        "bars are left out.",
        "are shown as hourly totals.",
        "Expected runs are shown only for the 4 jobs",
    ):
        assert part in text
    assert "Collisions are shown only up to" in text


def test_a_frequent_job_is_in_the_lane_of_its_latest_worker(admin: Client) -> None:
    job = a_booked_job(name="each minute", cron="* * * * *")
    a_past_run(job, 1, worker="batch-9")
    JobState.objects.update(p50=1.0)
    assert [lane.title for lane in insight.fetch_timeline(database_now(), 48 * HOUR, "worker").lanes] == ["batch-9"]


def test_the_page_takes_six_statements_for_any_number_of_jobs(admin: Client) -> None:
    a_past_run(a_booked_job(cron="* * * * *"), 1)

    def of_the_page() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(ADDRESS).status_code == 200
        return len(captured)

    of_the_page()
    few = of_the_page()
    for number in range(20):
        job = a_booked_job(cron=f"*/{number + 1} * * * *", group=Group.objects.create(name=f"{number}", limit=1))
        a_past_run(job, number, executor="celery")
        run_now(job, "somebody") if number % 2 else None
    JobState.objects.update(p50=1.0)  # some of them are frequent: their hours and latest runs are read
    assert of_the_page() == few + 2
    with CaptureQueriesContext(connection) as captured:
        insight.fetch_timeline(database_now(), 48 * HOUR, "worker")
    assert len(captured) == 7  # with the clock


def test_an_empty_timeline_says_so(admin: Client) -> None:
    html = admin.get(ADDRESS).content.decode()
    assert "Nothing ran in this time range, and no run is expected in it." in html and "No collision ahead." in html


def test_unknown_choices_give_the_usual_picture(admin: Client) -> None:
    assert [choice["is_current"] for choice in context(admin, by="x", span="9y")["choices"]] == [
        True, False, False, False, True, False,
    ]  # fmt: skip


def test_runs_need_the_right_to_view_runs(staff: Callable[..., Client]) -> None:
    job = a_booked_job(name="report", cron="0 3 * * *")
    a_past_run(job, 5)
    assert staff("view_run").get(ADDRESS).status_code == 403
    assert not any("succeeded" in text for text in says(context(staff("view_job"))))
    assert any("succeeded" in text for text in says(context(staff("view_job", "view_run"))))

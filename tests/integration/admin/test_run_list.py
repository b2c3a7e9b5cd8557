"""The list of runs: filters, pages along a key, and the announcement of new runs."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker.admin.runs import run_list_page
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle.hourly_counts import add_closed_runs_to_counters
from chroniker.models import Host, Job, JobState, Run, Status, Trigger
from tests.support.factories import a_booked_job

LIST = "/admin/chroniker/run/"
#: Beside the health of the scheduler and Django's own.
MOST_STATEMENTS = 3


def runs_of(job: Job, *minutes: int, **fields: Any) -> list[Run]:
    """Closed runs that were claimed so many minutes ago; the last one is the newest of its job."""
    now, last = database_now(), JobState.objects.get(pk=job.pk).last_token
    values: dict[str, Any] = {"status": Status.SUCCEEDED, "trigger": Trigger.MANUAL, **fields}
    rows = [
        Run(job=job, token=last + n, claimed_at=now - dt.timedelta(minutes=ago), finished_at=now, **values)
        for n, ago in enumerate(minutes, 1)
    ]
    JobState.objects.filter(pk=job.pk).update(last_token=last + len(rows))
    return Run.objects.bulk_create(rows)


def shown(client: Client, address: str = LIST) -> list[str]:
    """The names in the rows."""
    page: Any = client.get(address)
    assert page.status_code == 200, page.content
    return [row.name for row in page.context_data["rows"]]


def link(client: Client, address: str, words: str) -> str | None:
    html = unescape(client.get(address).content.decode())
    found = re.search(rf'<a class="btn" href="(\?[^"]*)"[^>]*>{words}<', html)
    return LIST + found[1] if found else None


def test_runs_are_listed_newest_first_and_page_by_page(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_list_page, "ROWS_PER_PAGE", 2)
    first, second = a_booked_job(name="a"), a_booked_job(name="b")
    runs_of(first, 5, 3, 1)
    runs_of(second, 4, 2, 2)  # two of the same moment, as far as the database keeps it
    found, address = [], LIST
    while True:
        found += shown(admin, address)
        following = link(admin, address, "Older")
        if following is None:
            break
        address = following
    assert len(found) == len(set(found)) == 6
    assert found[0] == "a · 3" and found[-1] == "a · 1"
    assert link(admin, LIST, "Newest") is None
    assert link(admin, address, "Newest") == f"{LIST}?"


def test_an_older_page_keeps_the_filters(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_list_page, "ROWS_PER_PAGE", 1)
    job = a_booked_job(name="a")
    runs_of(job, 9, 8, status=Status.FAILED)
    runs_of(job, 7)
    assert shown(admin, f"{LIST}?status=FAILED") == ["a · 2"]
    following = link(admin, f"{LIST}?status=FAILED", "Older")
    assert following is not None and shown(admin, following) == ["a · 1"]


def test_each_filter_selects_its_runs(admin: Client) -> None:
    good, bad = a_booked_job(name="Good one"), a_booked_job(name="bad one")
    (old,) = runs_of(good, 100, host="web1", trigger=Trigger.SCHEDULE)
    runs_of(bad, 1, status=Status.FAILED, trigger=Trigger.RETRY, attempt=2)
    since = f"{database_now() - dt.timedelta(minutes=50):%Y-%m-%dT%H:%M}"
    for query, expected in {
        "q=good": "Good one · 1", f"q={old.pk}": "Good one · 1", f"q= {old.pk} ": "Good one · 1",
        "status=FAILED": "bad one · 1", "trigger=RETRY": "bad one · 1", "host=web1": "Good one · 1",
        f"from={since}": "bad one · 1", f"job={bad.pk}": "bad one · 1",
    }.items():  # fmt: skip
        assert shown(admin, f"{LIST}?{query}") == [expected], query
    html = admin.get(f"{LIST}?host=web1&job={good.pk}&from={since}").content.decode()
    assert "No run matches." in html and 'href="?">Show all runs.' in html and since in html


def test_a_run_s_id_is_looked_up_by_the_primary_key_alone(admin: Client) -> None:
    (run,) = runs_of(a_booked_job(), 1)
    with CaptureQueriesContext(connection) as queries:
        assert len(shown(admin, f"{LIST}?q={run.pk}&status=FAILED")) == 1
    (own,) = [query["sql"] for query in queries if 'FROM "chroniker_run"' in query["sql"].replace("`", '"')]
    assert "LIKE" not in own and "last_token" not in own


def test_the_lists_of_runs_agree_on_what_started_a_run(admin: Client) -> None:
    job = a_booked_job(max_retries=3)
    runs_of(job, 4, trigger=Trigger.SCHEDULE)
    runs_of(job, 3, trigger=Trigger.RETRY, attempt=2)
    runs_of(job, 2, trigger=Trigger.MANUAL, asked_by="alice")
    runs_of(job, 1, trigger=Trigger.MANUAL)
    for address in (LIST, f"/admin/chroniker/job/{job.pk}/runs/"):
        page: Any = admin.get(address)
        assert [row.started_by for row in page.context_data["rows"]] == ["by hand", "alice", "retry 1 of 3", "schedule"]


def test_nonsense_is_no_filter_and_no_server_error(admin: Client) -> None:
    runs_of(a_booked_job(name="a"), 1)
    for query in ("status=x", "trigger=x", "job=x", f"job={'9' * 40}", "from=x", "before=x", "top=1~2", "o=9&p=9",
                  "q=%00", "host=%00"):  # fmt: skip
        assert shown(admin, f"{LIST}?{query}") == ["a · 1"], query
    key = "~00000000-0000-0000-0000-000000000001"
    for time in ("0001-01-01T00:00:00%2B14:00", "0001-01-01T00:00:00%2B00:00", "9999-12-31T23:59:59-14:00"):
        for query in (f"from={time}", f"before={time}{key}", f"top={time}{key}", f"top={time}{key}&_live="):
            assert admin.get(f"{LIST}?{query}").status_code == 200, query
        assert shown(admin, f"{LIST}?from={time}") == ["a · 1"], time
    assert shown(admin, f"{LIST}?from=8999-12-31T23:59") == []


def test_new_runs_are_announced_and_the_rows_stay(admin: Client) -> None:
    job = a_booked_job(name="a")
    (run,) = runs_of(job, 5)
    html = unescape(admin.get(LIST).content.decode())
    found = re.search(r'data-live-url="([^"]*)"', html)
    assert found
    assert "new run" not in admin.get(found[1]).json()["html"]["ops-sentence"]
    runs_of(job, 4, 3, 2)
    Run.objects.filter(pk=run.pk).update(status=Status.FAILED)
    fragments = admin.get(found[1]).json()["html"]
    assert "3 new runs" in fragments["ops-sentence"] and "Show them" in fragments["ops-sentence"]
    assert re.findall(r"a · (\d+)</a>", fragments["runs-rows"]) == ["1"]
    assert "Failed" in fragments["runs-rows"]


def test_the_list_counts_nothing_and_costs_a_constant_number_of_statements(admin: Client) -> None:
    def statements(address: str) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(address).status_code == 200
        return [query["sql"] for query in queries]

    job = a_booked_job(name="a")
    Host.objects.create(name="web1", last_seen=database_now())
    frame = len(statements(reverse("admin:chroniker_job_pause")))
    runs_of(job, *range(1, 60))
    runs_of(a_booked_job(name="b"), *range(1, 10))
    for address in (LIST, f"{LIST}?q=a&status=SUCCEEDED", f"{LIST}?job={job.pk}&trigger=MANUAL"):
        found = statements(address)
        assert len(found) - frame <= MOST_STATEMENTS, address
        assert not [sql for sql in found if "logchunk" in sql or "COUNT(" in sql.upper()], address
    assert not LogEntry.objects.exists()


def test_buttons_follow_the_permissions(admin: Client, staff: Any) -> None:
    (run,) = runs_of(a_booked_job(name="a"), 1)
    again, stop = (reverse(f"admin:chroniker_run_{name}", args=[run.pk]) for name in ("again", "stop"))
    assert again in admin.get(LIST).content.decode()
    Run.objects.filter(pk=run.pk).update(status=Status.CLAIMED, finished_at=None)
    assert stop in admin.get(LIST).content.decode()
    html = staff("view_run").get(LIST).content.decode()
    assert again not in html and stop not in html
    assert staff("view_job").get(LIST).status_code == 403


def test_names_and_reasons_are_escaped(admin: Client) -> None:
    markup = "<script>alert(1)</script>"
    runs_of(a_booked_job(name=markup), 1, status=Status.FAILED, reason_text=markup, host=markup, error_line=markup)
    html = admin.get(f"{LIST}?q=script&host={markup}").content.decode()
    assert markup not in html and "&lt;script&gt;" in html


def test_now_leads_to_all_runs_that_ended_badly(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_list_page, "ROWS_PER_PAGE", 2)
    names = {Status.FAILED: "failed", Status.LOST: "lost", Status.TIMED_OUT: "late", Status.STOPPED: "stopped"}
    jobs = {status: a_booked_job(name=name) for status, name in names.items()}
    for ago, status in enumerate([*names, Status.FAILED], 1):
        runs_of(jobs[status], ago, status=status, uncounted_since=database_now())
    add_closed_runs_to_counters()
    now_page = unescape(admin.get(reverse("admin:chroniker_job_now")).content.decode())
    found = re.search(rf'<a href="({LIST}[?]status=bad&[^"]*)">4</a>', now_page)
    assert found is not None
    assert shown(admin, found[1]) == ["failed · 1", "lost · 1"]
    following = link(admin, found[1], "Older")
    assert following is not None and shown(admin, following) == ["late · 1", "failed · 2"]
    assert link(admin, following, "Older") is None

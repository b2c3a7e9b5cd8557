from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.test import AsyncClient, Client
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import EventKind, Host, LogChunk, Run, RunEvent, Status
from chroniker.reasons import Reason
from chroniker.scheduler.manual_runs import run_now
from tests.support.admin_pages import rows
from tests.support.factories import a_booked_job, a_due_job, started

NAMES = {"remark": 0, "stdout": 1, "stderr": 2}


def a_running_run(**fields: Any) -> Run:
    run = run_now(a_booked_job(**fields), by="a test")
    started(run)
    run.refresh_from_db()
    return run


def write(run: Run, stream: str, seq: int, text: str) -> None:
    moment = database_now() + dt.timedelta(seconds=LogChunk.objects.filter(run=run).count())
    LogChunk.objects.create(run=run, stream=NAMES[stream], seq=seq, text=text, written_at=moment)


def news(client: Client, run: Run, **query: str) -> dict[str, Any]:
    response = client.get(reverse("admin:chroniker_run_live", args=[run.pk]), query)
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def texts(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(piece["kind"], piece["text"]) for piece in answer["output"]["pieces"]]


def test_the_output_of_an_open_run_is_followed_page_by_page(admin: Client) -> None:
    run = a_running_run()
    first = news(admin, run)
    assert (texts(first), first["open"], first["more"]) == ([], True, True)
    write(run, "stdout", 0, "one\n")
    write(run, "stderr", 0, "two\n")
    second = news(admin, run, after=first["output"]["after"])
    assert texts(second) == [("stdout", "one\n"), ("stderr", "two\n")]
    write(run, "stdout", 1, "three\n")
    third = news(admin, run, after=second["output"]["after"])
    assert texts(third) == [("stdout", "three\n")]
    assert texts(news(admin, run, after=third["output"]["after"])) == []


def test_progress_status_and_events_come_with_the_output(admin: Client) -> None:
    run = run_now(a_booked_job(), by="a test")
    nonce = started(run)
    lifecycle.renew(run.pk, run.token, nonce, (77, 13))
    answer = news(admin, run)
    cells = {name.split("-")[-1]: cell for name, cell in answer["cells"].items()}
    assert cells["progress"]["text"] == "13 / 77 (16 %)"
    assert cells["status"]["text"] == "running"
    latest = answer["events"][-1]["id"]
    lifecycle.note(run.pk, EventKind.REFUSED_DELIVERY, "on worker-2")
    assert [event["text"] for event in news(admin, run, events=str(latest))["events"]] == ["on worker-2"]
    lifecycle.finish(
        run.pk, run.token, nonce, Outcome(Status.FAILED, exit_code=-9, reason=Reason(text="killed"), progress=(77, 20))
    )
    ended = news(admin, run)
    cells = {name.split("-")[-1]: cell for name, cell in ended["cells"].items()}
    assert (cells["status"]["text"], cells["exit"]["text"]) == ("failed", "killed by SIGKILL")
    assert cells["progress"]["text"] == "20 / 77 (25 %)"
    assert (ended["open"], ended["more"]) == (False, True)


def test_the_refresh_ends_after_late_output_has_arrived(admin: Client) -> None:
    run = run_now(a_booked_job(), by="a test")
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED))
    assert news(admin, run)["more"] is True
    Run.objects.filter(pk=run.pk).update(finished_at=database_now() - dt.timedelta(hours=1))
    assert news(admin, run)["more"] is False


def test_what_a_command_writes_cannot_become_markup(admin: Client) -> None:
    markup = "<script>alert(1)</script>"
    run = a_running_run()
    write(run, "stdout", 0, markup)
    RunEvent.objects.create(run=run, at=database_now(), kind=EventKind.NOTE, text=markup)
    words = {
        "host": markup,
        "reason_text": markup,
        "stop_requested_by": markup,
    }
    Run.objects.filter(pk=run.pk).update(**words, stop_requested_at=database_now())
    page = admin.get(reverse("admin:chroniker_run_change", args=[run.pk]))
    assert markup not in page.content.decode()
    answer = admin.get(reverse("admin:chroniker_run_live", args=[run.pk]))
    assert answer["Content-Type"] == "application/json" and answer["X-Content-Type-Options"] == "nosniff"
    assert texts(answer.json()) == [("stdout", markup)]


def test_the_page_shows_every_fact(admin: Client) -> None:
    run = run_now(a_booked_job(name="backup"), by="a test")
    lifecycle.request_stop(run.pk, "somebody")
    nonce = None
    other = run_now(a_booked_job(name="other"), by="a test")
    nonce = started(other, host="worker-7")
    lifecycle.finish(
        other.pk,
        other.token,
        nonce,
        Outcome(Status.TIMED_OUT, exit_code=-15, reason=Reason(text="It ran longer than 5 s.")),
    )
    html = admin.get(reverse("admin:chroniker_run_change", args=[run.pk])).content.decode()
    for fact in ("stopped", "by hand", "by somebody at", "Stopped before it started.", "backup", str(run.pk)):
        assert fact in html, fact
    html = admin.get(reverse("admin:chroniker_run_change", args=[other.pk])).content.decode()
    for fact in ("timed out", "worker-7", "killed by SIGTERM", "It ran longer than 5 s."):
        assert fact in html, fact


def test_an_invalid_query_gets_an_error_as_json(admin: Client) -> None:
    run = a_running_run()
    live, output = (reverse(f"admin:chroniker_run_{name}", args=[run.pk]) for name in ("live", "output"))
    for query in ({"after": "x"}, {"after": "1.2"}, {"after": "1.2.3.4"}, {"events": "x"}):
        assert admin.get(live, query).status_code == 400
    assert admin.get(output).status_code == 400
    huge = {"after": f"{9**30}.{-(9**30)}.0", "events": str(9**30)}
    assert admin.get(live, huge).status_code == 200
    assert admin.post(live).status_code == 405
    gone = "00000000-0000-7000-8000-000000000000"
    assert admin.get(f"/admin/chroniker/run/{gone}/live/").status_code == 404


def download(client: Client, run: Run, query: str = "") -> str:
    response: Any = client.get(reverse("admin:chroniker_run_log", args=[run.pk]) + query)
    assert response.streaming
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"].startswith("attachment; filename=")
    return b"".join(response.streaming_content).decode()


def test_the_download_marks_the_streams(admin: Client) -> None:
    run = a_running_run(name="<b>näme</b>")
    write(run, "stdout", 0, "héllo 你好\n")
    write(run, "stdout", 1, "no newline")
    write(run, "stderr", 0, "<oops>\n")
    write(run, "stdout", 2, "end\n")
    lines = download(admin, run).splitlines()
    marked = [line.split(",")[0] for line in lines]
    assert marked == ["--- stdout", "héllo 你好", "no newline", "--- stderr", "<oops>", "--- stdout", "end"]
    assert download(admin, run, "?stream=stdout") == "héllo 你好\nno newlineend\n"
    assert download(admin, run, "?stream=stderr") == "<oops>\n"
    assert download(admin, a_running_run()) == ""


def test_under_asgi_the_download_is_streamed(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "one\n")

    async def read() -> bytes:
        client = AsyncClient()
        client.cookies = admin.cookies
        response: Any = await client.get(reverse("admin:chroniker_run_log", args=[run.pk]), {"stream": "stdout"})
        assert response.is_async
        return b"".join([part async for part in response.streaming_content])

    assert async_to_sync(read)() == b"one\n"


@pytest.mark.celery
def test_the_page_links_to_celery_s_record_of_the_same_run(admin: Client) -> None:
    from django_celery_results.models import TaskResult

    run = a_running_run()
    TaskResult.objects.create(task_id=str(run.pk), status="STARTED")
    html = admin.get(reverse("admin:chroniker_run_change", args=[run.pk])).content.decode()
    link = f"/admin/django_celery_results/taskresult/?task_id__exact={run.pk}"
    assert link in html
    assert [found.task_id for found in rows(admin, link)] == [str(run.pk)]


def test_where_celery_s_results_are_not_installed_there_is_no_link(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_running_run()
    monkeypatch.setattr(apps, "is_installed", lambda name: False)
    assert "Celery result" not in admin.get(reverse("admin:chroniker_run_change", args=[run.pk])).content.decode()


def test_suspended_hosts_are_shown_with_the_reason(admin: Client) -> None:
    job, now = a_due_job(), database_now()
    Host.objects.create(
        name="there", last_seen=now, suspended_until=now + dt.timedelta(minutes=1), suspended_because="<It jumped.>"
    )
    Host.objects.create(
        name="here", last_seen=now, suspended_until=now - dt.timedelta(minutes=1), suspended_because="long ago"
    )
    html = admin.get("/admin/chroniker/host/").content.decode()
    assert "&lt;It jumped.&gt;" in html and "long ago" not in html
    for page in ("/admin/chroniker/job/", f"/admin/chroniker/job/{job.pk}/change/", "/admin/chroniker/run/"):
        assert (
            "&lt;It jumped.&gt; On the host “there” starts and expiry are suspended" in admin.get(page).content.decode()
        )

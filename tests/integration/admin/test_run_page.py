from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts
from chroniker.lifecycle import Outcome
from chroniker.models import EventKind, Host, HostService, LogChunk, Outbox, Run, RunEvent, Status
from chroniker.reasons import Reason
from chroniker.scheduler.manual_runs import run_now
from tests.support.admin_pages import rows
from tests.support.factories import a_booked_job, a_due_job, started

NAMES = {"remark": 0, "stdout": 1, "stderr": 2}
#: Of the page itself, without the health of the scheduler and Django's own.
MOST_STATEMENTS = 8


def a_running_run(**fields: Any) -> Run:
    run = run_now(a_booked_job(**fields), by="a test")
    started(run)
    run.refresh_from_db()
    return run


def write(run: Run, stream: str, seq: int, text: str) -> None:
    moment = database_now() + dt.timedelta(seconds=LogChunk.objects.filter(run=run).count())
    LogChunk.objects.create(run=run, stream=NAMES[stream], seq=seq, text=text, written_at=moment)


def page(client: Client, run: Run, **query: str) -> str:
    response = client.get(reverse("admin:chroniker_run_change", args=[run.pk]), query)
    assert response.status_code == 200, response.content
    return unescape(response.content.decode())


def fragments(client: Client, run: Run) -> dict[str, str]:
    response = client.get(reverse("admin:chroniker_run_change", args=[run.pk]), {"_live": ""})
    assert response.status_code == 200, response.content
    return {name: unescape(html) for name, html in response.json()["html"].items()}


def output(client: Client, run: Run, **query: str) -> dict[str, Any]:
    response = client.get(reverse("admin:chroniker_run_output", args=[run.pk]), query)
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def shown(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Number, stream and text of each line."""
    pattern = r'<div class="l" id="L(\d+)" data-s="(\w+)".*?<span class="c">(.*?)</span></div>'
    found = re.findall(pattern, answer["html"])
    return [(number, stream, unescape(re.sub(r"<[^>]*>", "", text))) for number, stream, text in found]


def test_the_output_of_an_open_run_is_followed_view_by_view(admin: Client) -> None:
    run = a_running_run()
    first = output(admin, run)
    assert (shown(first), first["open"]) == ([], True)
    write(run, "stdout", 0, "one\n")
    write(run, "stderr", 0, "two\n")
    second = output(admin, run, after=first["after"])
    assert shown(second) == [("1", "out", "one"), ("2", "err", "stderrtwo")]
    write(run, "stdout", 1, "thr")
    third = output(admin, run, after=second["after"])
    assert shown(third) == [("3", "out", "thr")] and "data-open" in third["html"]
    write(run, "stdout", 2, "ee\n")
    fourth = output(admin, run, after=third["after"])
    assert shown(fourth) == [("3", "out", "three")] and "data-open" not in fourth["html"]
    assert shown(output(admin, run, after=fourth["after"])) == []


def test_a_long_output_is_read_from_both_ends_and_at_a_number(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "".join(f"line {n}\n" for n in range(1, 3001)))
    write(run, "stderr", 0, "oops\n")
    end, start = output(admin, run, at="end"), output(admin, run, at="start")
    assert (shown(start)[0][0], len(shown(start)), start["more_before"], start["more_after"]) == (
        "1",
        1000,
        False,
        True,
    )
    assert (shown(end)[-1][2], end["more_before"], end["more_after"]) == ("stderroops", True, False)
    assert shown(output(admin, run, after=start["after"]))[0][0] == "1001"
    assert shown(output(admin, run, before=end["before"]))[-1][0] == str(int(shown(end)[0][0]) - 1)
    at = output(admin, run, at="1500")
    assert (at["target"], "1500" in [number for number, _s, _t in shown(at)]) == (1500, True)
    error = output(admin, run, at="error")
    assert (error["target"], shown(error)[-1][0]) == (3001, "3001")
    assert output(admin, run, q="LINE 29")["numbers"] == [29, *range(290, 300), *range(2900, 3000)]


def test_the_page_has_the_last_lines_without_a_script(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "".join(f"line {n}\n" for n in range(1, 1001)))
    html = page(admin, run)
    numbers = re.findall(r'id="L(\d+)"', html)
    assert numbers == [str(n) for n in range(801, 1001)]
    (before,) = re.findall(r'href="\?before=([^#"]*)#output"', html)
    earlier = re.findall(r'id="L(\d+)"', page(admin, run, before=unquote(before)))
    assert earlier == [str(n) for n in range(601, 801)]
    assert 'id="L1"' in page(admin, run, at="start") and 'id="L500"' in page(admin, run, at="500")


def test_colours_become_classes_and_carriage_returns_keep_the_last_state(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "\x1b[1;31mred <b>\x1b[0m plain\n10 %\r20 %\r\n")
    answer = output(admin, run)
    assert '<span class="a1 a31">red &lt;b&gt;</span> plain' in answer["html"]
    assert [text for _n, _s, text in shown(answer)] == ["red <b> plain", "20 %"]


def test_a_very_long_line_is_shortened_with_its_length(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "x" * 12_345 + "\n")
    assert "… 2,345 more characters are in the download" in unescape(output(admin, run)["html"])


def test_lost_chunks_are_marked(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "one\n")
    write(run, "stdout", 3, "two\n")
    assert "2 output chunks are missing here" in output(admin, run)["html"]


def test_progress_state_and_events_come_with_the_refresh(admin: Client) -> None:
    run = run_now(a_booked_job(), by="a test")
    nonce = started(run)
    lifecycle.renew(run.pk, run.token, nonce, (77, 13))
    html = fragments(admin, run)
    assert "13 of 77 (16.9 %)" in html["run-progress"]
    assert "Running" in html["run-state"] and "Stop…" in html["run-actions"]
    lifecycle.note(run.pk, EventKind.REFUSED_DELIVERY, "on worker-2")
    assert "on worker-2" in fragments(admin, run)["run-events"]
    lifecycle.finish(
        run.pk, run.token, nonce, Outcome(Status.FAILED, exit_code=-9, reason=Reason(text="killed"), progress=(77, 20))
    )
    html = fragments(admin, run)
    assert "Failed" in html["run-state"] and "Run again" in html["run-actions"]
    assert "killed by SIGKILL, probably out of memory" in html["run-say"]
    assert "20 of 77" in html["run-progress"]


def test_what_a_command_writes_cannot_become_markup(admin: Client) -> None:
    markup = "<script>alert(1)</script>"
    run = a_running_run()
    write(run, "stdout", 0, markup)
    RunEvent.objects.create(run=run, at=database_now(), kind=EventKind.NOTE, text=markup)
    words = {
        "host": markup,
        "worker": markup,
        "queue": markup,
        "reason_text": markup,
        "stop_requested_by": markup,
        "error_line": markup,
        "argv": [markup],
    }
    Run.objects.filter(pk=run.pk).update(**words, stop_requested_at=database_now())
    for status in ("RUNNING", "FAILED"):
        closed = {"status": status, "finished_at": None if status == "RUNNING" else database_now()}
        Run.objects.filter(pk=run.pk).update(**closed)
        html = admin.get(reverse("admin:chroniker_run_change", args=[run.pk])).content.decode()
        assert markup not in html and "&lt;script&gt;" in html
    answer = admin.get(reverse("admin:chroniker_run_output", args=[run.pk]))
    assert answer["Content-Type"] == "application/json" and answer["X-Content-Type-Options"] == "nosniff"
    assert markup not in answer.json()["html"] and shown(answer.json())[0][2] == markup


def test_the_page_shows_every_fact(admin: Client) -> None:
    run = run_now(a_booked_job(name="backup"), by="a test")
    lifecycle.request_stop(run.pk, "somebody")
    other = run_now(a_booked_job(name="other", queue="heavy"), by="a test")
    nonce = started(other, host="worker-7")
    lifecycle.finish(
        other.pk,
        other.token,
        nonce,
        Outcome(Status.TIMED_OUT, exit_code=-15, reason=Reason(text="It ran longer than 5 s.")),
    )
    now = database_now()
    measured = {"max_rss_kb": 217_000, "cpu_seconds": 41.2, "release": "2026.47", "argv": ["manage.py", "x", "a b"]}
    Run.objects.filter(pk=other.pk).update(**measured, taken_at=now, queue="heavy", worker="celery@worker-7")
    html = page(admin, run)
    for fact in ("Stopped", "somebody cancelled it before it started.", "by somebody at", "backup", str(run.pk)):
        assert fact in html, fact
    html = page(admin, other)
    for fact in (
        "Timed out", "on worker-7: it ran longer than its limit.", "killed by SIGTERM", "212 MB at most, 41 s of CPU",
        "2026.47", "manage.py x 'a b'", "taken by celery@worker-7", "sent to the queue “heavy”", "start-up",
    ):  # fmt: skip
        assert fact in html, fact


@pytest.mark.parametrize(
    ("code", "words"),
    [(1, "with exit status 1."), (127, "with exit status 127: no such program."), (-11, "with killed by SIGSEGV.")],
)
def test_the_sentence_has_the_exit_status_in_words(admin: Client, code: int, words: str) -> None:
    run = a_running_run()
    nonce = Run.objects.get(pk=run.pk).nonce
    assert nonce is not None
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, exit_code=code))
    assert words.removeprefix("with ").rstrip(".") in fragments(admin, run)["run-say"]


def test_secrets_are_masked_in_command_lines_and_errors(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret-value")
    run = a_running_run(secrets="TOKEN=env:TOKEN")
    texts = {"error_line": "bad s3cret-value", "reason_text": "s3cret-value failed", "argv": ["x", "--t=s3cret-value"]}
    Run.objects.filter(pk=run.pk).update(**texts, status="FAILED", finished_at=database_now(), exit_code=1)
    html = page(admin, run)
    assert "s3cret-value" not in html and "--t=••••••" in html and "bad ••••••" in html


def test_job_worker_and_messages_are_linked_for_users_who_may_view_them(staff: Callable[..., Client]) -> None:
    run = a_running_run()
    Run.objects.filter(pk=run.pk).update(worker="celery@batch-1")
    Outbox.objects.create(run=run, channel="mail:1", payload={}, send_at=database_now())
    job = reverse("admin:chroniker_job_status", args=[run.job_id])
    links = {
        "view_job": job, "view_host": f'{reverse("admin:chroniker_host_changelist")}">celery@batch-1',
        "view_outbox": reverse("admin:chroniker_outbox_changelist"),
    }  # fmt: skip
    for rights in ((), *((right,) for right in links), tuple(links)):
        html = page(staff("view_run", *rights), run)
        assert {right for right, link in links.items() if f'<a href="{link}' in html} == set(rights)
        assert "celery@batch-1" in html and run.job.name in html


def test_a_queued_run_says_why_and_what_to_do(admin: Client) -> None:
    run = run_now(a_booked_job(queue="gpu"), by="a test")
    now = database_now()
    Run.objects.filter(pk=run.pk).update(queue="gpu", executor="default", dispatched_at=now)
    assert "no worker of the executor “default” is alive" in fragments(admin, run)["run-say"]
    host = Host.objects.create(name="batch-1", last_seen=now)
    worker = HostService.objects.create(
        host=host, executor="default", worker="celery@batch-1", last_seen=now, queues=["mails"], slots=2, busy=2
    )
    say = fragments(admin, run)["run-say"]
    assert "no worker consumes the queue “gpu”" in say and "<code>celery worker -Q gpu</code>" in say
    assert "the run is closed as lost" in say
    HostService.objects.filter(pk=worker.pk).update(queues=["gpu"])
    assert "all 2 slots of the only worker for it are busy" in fragments(admin, run)["run-say"]
    HostService.objects.filter(pk=worker.pk).update(busy=1)
    assert "the only worker for it has not taken it yet" in fragments(admin, run)["run-say"]


def test_run_again_takes_the_same_arguments_and_goes_to_the_new_run(admin: Client) -> None:
    run = run_now(a_booked_job(), by="a test", args="--verbosity 2")
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED, exit_code=1))
    answer = admin.post(reverse("admin:chroniker_run_again", args=[run.pk]))
    new = Run.objects.get(job=run.job, token__gt=run.token)
    assert answer["Location"] == reverse("admin:chroniker_run_change", args=[new.pk])
    assert new.args == "--verbosity 2"
    assert f"run {run.token}" not in page(admin, new).split("ops-actions")[0]
    assert reverse("admin:chroniker_run_change", args=[run.pk]) in page(admin, new)  # the previous run
    again = admin.post(reverse("admin:chroniker_run_again", args=[run.pk]))  # refused: it is open
    assert again["Location"] == reverse("admin:chroniker_run_change", args=[run.pk])
    assert admin.get(reverse("admin:chroniker_run_again", args=[run.pk])).status_code == 302
    assert Run.objects.filter(job=run.job).count() == 2


def test_run_again_with_arguments_begins_with_those_of_the_run(admin: Client) -> None:
    run = run_now(a_booked_job(args="--verbosity 1"), by="a test", args="--verbosity 2")
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED, exit_code=1))
    address = f"{reverse('admin:chroniker_job_run_with', args=[run.job_id])}?run={run.pk}"
    assert address in page(admin, run)
    assert "--verbosity 2</textarea>" in admin.get(address).content.decode()
    assert "--verbosity 1</textarea>" in admin.get(f"{address[:-36]}x").content.decode()
    answer = admin.post(address, {"args": "--verbosity 3"})
    new = Run.objects.get(job=run.job, token__gt=run.token)
    assert answer["Location"] == reverse("admin:chroniker_run_change", args=[new.pk])
    assert new.args == "--verbosity 3"


def test_stop_asks_first(admin: Client) -> None:
    run = a_running_run(name="backup")
    address = reverse("admin:chroniker_run_stop", args=[run.pk])
    asked = admin.get(address).content.decode()
    assert "Stop run 1?" in asked and "Run 1 of backup" in asked
    assert Run.objects.get(pk=run.pk).stop_requested_at is None
    answer: Any = admin.post(address, follow=True)
    assert Run.objects.get(pk=run.pk).stop_requested_by == "root"
    assert "Stop requested by root" in answer.content.decode()


def test_the_page_costs_a_constant_number_of_statements(admin: Client) -> None:
    def statements(run: Run) -> int:
        with CaptureQueriesContext(connection) as queries:
            page(admin, run)
        return len(queries)

    admin.get("/admin/chroniker/run/")
    with CaptureQueriesContext(connection) as frame:  # the health of the scheduler and Django's own
        admin.get("/admin/chroniker/job/pause/")
    queued = run_now(a_booked_job(queue="gpu"), by="a test")
    running = a_running_run()
    for seq in range(50):
        write(running, "stdout", seq, "one\n")
    failed = a_running_run()
    nonce = Run.objects.get(pk=failed.pk).nonce
    assert nonce is not None
    lifecycle.finish(failed.pk, failed.token, nonce, Outcome(Status.FAILED, exit_code=1))
    Run.objects.filter(pk=failed.pk).update(error_line="oops")
    assert max(map(statements, (queued, running, failed))) - len(frame) <= MOST_STATEMENTS


def test_an_invalid_query_gets_an_error_as_json(admin: Client) -> None:
    run = a_running_run()
    address = reverse("admin:chroniker_run_output", args=[run.pk])
    for query in ({"after": "x"}, {"before": "1.2"}, {"after": "1.2.3.4"}, {"at": "x"}, {"q": "x", "from": "y"}):
        assert admin.get(address, query).status_code == 400
        assert "q" in query or admin.get(reverse("admin:chroniker_run_change", args=[run.pk]), query).status_code == 400
    huge = {"after": f"{9**30}.{-(9**30)}.0+{9**30}"}
    assert admin.get(address, huge).status_code == 200
    assert admin.get(address, {"at": str(9**30)}).status_code == 200
    assert admin.post(address).status_code == 405
    gone = "00000000-0000-7000-8000-000000000000"
    for path in (f"{gone}/change/", f"{gone}/output/", "no-id/change/", f"{gone}/stop/", f"{gone}/again/"):
        assert admin.get(f"/admin/chroniker/run/{path}").status_code == 404


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


def test_the_download_with_times_has_one_line_for_each_line(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "\x1b[31mone\x1b[0m\ntwo\n")
    write(run, "stderr", 0, "oops\n")
    lines = download(admin, run, "?times=1").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["stdout one", "stdout two", "stderr oops"]
    assert all(dt.datetime.fromisoformat(line.split(" ")[0]).tzinfo for line in lines)


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
    health_facts.forget()
    html = admin.get("/admin/chroniker/host/").content.decode()
    assert "&lt;It jumped.&gt;" in html and "long ago" not in html
    for page in ("/admin/chroniker/job/", f"/admin/chroniker/job/{job.pk}/change/", "/admin/chroniker/run/"):
        html = admin.get(page).content.decode()
        assert "starts suspended" in html and "&lt;It jumped.&gt; Starts on “there” are suspended" in html, page

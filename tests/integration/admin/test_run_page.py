from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts
from chroniker.lifecycle import Outcome
from chroniker.models import EventKind, Host, HostService, Outbox, Run, Status
from chroniker.reasons import Reason
from chroniker.scheduler.manual_runs import run_now
from tests.integration.admin.shown_runs import a_running_run, fragments, page, write
from tests.support.admin_pages import rows
from tests.support.factories import a_booked_job, a_due_job, started

#: Of the page itself, without the health of the scheduler and Django's own.
MOST_STATEMENTS = 8


def test_progress_state_and_events_come_with_the_refresh(admin: Client) -> None:
    run = run_now(a_booked_job(), requested_by="a test")
    nonce = started(run)
    lifecycle.renew(run.pk, run.token, nonce, (77, 13))
    html = fragments(admin, run)
    assert "13 of 77 (16.9 %)" in html["run-progress"]
    assert "Running" in html["run-state"] and "Stop…" in html["run-actions"]
    lifecycle.add_run_event(run.pk, EventKind.REFUSED_DELIVERY, "on worker-2")
    assert "on worker-2" in fragments(admin, run)["run-events"]
    lifecycle.finish(
        run.pk, run.token, nonce, Outcome(Status.FAILED, exit_code=-9, reason=Reason(text="killed"), progress=(77, 20))
    )
    html = fragments(admin, run)
    assert "Failed" in html["run-state"] and "Run again" in html["run-actions"]
    assert "killed by SIGKILL, probably out of memory" in html["run-say"]
    assert "20 of 77" in html["run-progress"]


def test_the_page_shows_every_fact(admin: Client) -> None:
    run = run_now(a_booked_job(name="backup"), requested_by="a test")
    lifecycle.request_stop(run.pk, "somebody")
    other = run_now(a_booked_job(name="other", queue="heavy"), requested_by="a test")
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
        "Timed out", "on worker-7: it ran longer than its timeout.", "killed by SIGTERM", "peak 212 MB, 41 s of CPU",
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
    run = run_now(a_booked_job(queue="gpu"), requested_by="a test")
    now = database_now()
    Run.objects.filter(pk=run.pk).update(queue="gpu", executor="default", dispatched_at=now)
    assert "no worker of the executor “default” is alive" in fragments(admin, run)["run-say"]
    host = Host.objects.create(name="batch-1", last_seen=now)
    worker = HostService.objects.create(
        host=host, executor="default", worker="celery@batch-1", last_seen=now, queues=["mails"], slots=2, busy=2
    )
    say = fragments(admin, run)["run-say"]
    assert "no worker consumes the queue “gpu”" in say and "<code>celery worker -Q gpu</code>" in say
    assert "If the run has not started by " in say and ", it is closed as lost." in say
    HostService.objects.filter(pk=worker.pk).update(queues=["gpu"])
    assert "the only worker for this run has no free slot (2 of 2 busy)" in fragments(admin, run)["run-say"]
    HostService.objects.filter(pk=worker.pk).update(busy=1)
    assert "the only worker for this run has not taken it yet" in fragments(admin, run)["run-say"]


def test_run_again_takes_the_same_arguments_and_goes_to_the_new_run(admin: Client) -> None:
    run = run_now(a_booked_job(), requested_by="a test", args="--verbosity 2")
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
    run = run_now(a_booked_job(args="--verbosity 1"), requested_by="a test", args="--verbosity 2")
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
    queued = run_now(a_booked_job(queue="gpu"), requested_by="a test")
    running = a_running_run()
    for seq in range(50):
        write(running, "stdout", seq, "one\n")
    failed = a_running_run()
    nonce = Run.objects.get(pk=failed.pk).nonce
    assert nonce is not None
    lifecycle.finish(failed.pk, failed.token, nonce, Outcome(Status.FAILED, exit_code=1))
    Run.objects.filter(pk=failed.pk).update(error_line="oops")
    assert max(map(statements, (queued, running, failed))) - len(frame) <= MOST_STATEMENTS


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
    health_facts.clear_cached_health_facts()
    html = admin.get("/admin/chroniker/host/").content.decode()
    assert "&lt;It jumped.&gt;" in html and "long ago" not in html
    for address in ("/admin/chroniker/job/", f"/admin/chroniker/job/{job.pk}/change/", "/admin/chroniker/run/"):
        html = admin.get(address).content.decode()
        assert "host suspended" in html and "&lt;It jumped.&gt; The host “there” starts no runs until" in html, address

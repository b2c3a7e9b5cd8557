"""Mails to subscribers on error and on success. A failing mail server loses neither mails nor runs."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sites.models import Site
from django.db import connection
from django.test import Client, modify_settings, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import outbox
from chroniker.models import Outbox, Run, Status
from chroniker.scheduler.tick import tick
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber, ended, lost, make_due, missed
from tests.support.factories import a_booked_job
from tests.support.message_servers import HOST, MailServer
from tests.support.processes import Process, wait_until, with_settings

pytestmark = pytest.mark.django_db


def text_of(server: MailServer) -> str:
    [mail] = server.mails
    return str(mail.get_content())


def test_subscribers_are_mailed_on_error_by_default(mail_server: MailServer) -> None:
    job = a_job_with_subscribers(a_subscriber("ann"), a_subscriber("bob"), name="nightly")
    run = ended(job, Status.FAILED, reason="exit status 3", exit_code=3, output="one\ntwo\n", stderr="it broke\n")
    assert outbox.send_due_messages() == 2
    assert {mail["To"] for mail in mail_server.mails} == {"ann@example.com", "bob@example.com"}
    mail = mail_server.mails[0]
    assert mail["Subject"] == "Error: nightly (failed)"
    text = mail.get_content()
    assert "exit status 3" in text and "one\ntwo" in text and "it broke" in text
    assert f"/admin/chroniker/run/{run.pk}/change/" in text and "Duration: 0:00:0" in text


def test_subscribers_are_not_mailed_on_success_by_default(mail_server: MailServer) -> None:
    ended(a_job_with_subscribers(a_subscriber()), Status.SUCCEEDED)
    assert not Outbox.objects.exists()


def test_subscribers_are_mailed_on_success_if_the_job_enables_it(mail_server: MailServer) -> None:
    job = a_job_with_subscribers(
        a_subscriber(), name="nightly", email_success_to_subscribers=True, email_errors_to_subscribers=False
    )
    ended(job, Status.SUCCEEDED)
    ended(job, Status.FAILED)
    outbox.send_due_messages()
    assert [mail["Subject"] for mail in mail_server.mails] == ["Success: nightly"]


def test_a_timed_out_run_is_mailed(mail_server: MailServer) -> None:
    ended(a_job_with_subscribers(a_subscriber()), Status.TIMED_OUT, reason="it ran longer than its timeout of 5 s")
    assert outbox.send_due_messages() == 0, "its last output is stored after its outcome"
    make_due()
    assert outbox.send_due_messages() == 1
    assert "timed out" in text_of(mail_server) and "longer than its timeout of 5 s" in text_of(mail_server)


def test_a_lost_run_is_mailed(mail_server: MailServer) -> None:
    run = lost(a_job_with_subscribers(a_subscriber()))
    assert run.status == Status.LOST and outbox.send_due_messages() == 1
    assert "Lost contact with the worker." in text_of(mail_server)


def test_a_missed_run_is_mailed(mail_server: MailServer) -> None:
    missed(a_subscriber(), name="every minute")
    assert outbox.send_due_messages() == 1
    assert mail_server.mails[0]["Subject"] == "Error: every minute (missed)"
    assert "more than 60 s late" in text_of(mail_server)


def test_a_stopped_run_is_not_mailed_as_an_error() -> None:
    ended(a_job_with_subscribers(a_subscriber()), Status.STOPPED)
    assert not Outbox.objects.exists()


def test_inactive_users_and_users_without_an_address_get_no_mail() -> None:
    inactive, unknown = a_subscriber("gone", is_active=False), a_subscriber("shy")
    unknown.email = ""
    unknown.save()
    ended(a_job_with_subscribers(inactive, unknown), Status.FAILED)
    assert not Outbox.objects.exists()


def test_a_user_who_unsubscribes_before_the_mail_is_sent_gets_none(mail_server: MailServer) -> None:
    user = a_subscriber()
    ended(a_job_with_subscribers(user), Status.FAILED)
    user.is_active = False
    user.save()
    assert outbox.send_due_messages() == 0 and not mail_server.mails
    message = Outbox.objects.get()
    assert (message.send_at, message.sent_at) == (None, None) and "inactive" in message.error


def test_a_failing_mail_server_does_not_affect_a_run(mail_server: MailServer, admin: Client) -> None:
    mail_server.refusing = True
    run = ended(a_job_with_subscribers(a_subscriber()), Status.FAILED)
    assert outbox.send_due_messages() == 0 and mail_server.attempts == 1
    assert run.status == Status.FAILED
    page = admin.get(reverse("admin:chroniker_outbox_changelist")).content.decode()
    assert "Come back later" in page, "the error is shown"
    assert outbox.send_due_messages() == 0 and mail_server.attempts == 1, "not before its time"
    mail_server.refusing = False
    make_due()
    assert outbox.send_due_messages() == 1 and len(mail_server.mails) == 1
    message = Outbox.objects.get()
    assert message.sent_at and (message.send_at, message.error, message.attempts) == (None, "", 2)


def test_a_refused_address_does_not_cause_a_second_mail_to_the_others(mail_server: MailServer) -> None:
    job = a_job_with_subscribers(a_subscriber("ann"), a_subscriber("bob"))
    ended(job, Status.FAILED)
    mail_server.refusing = True
    outbox.send_due_messages()
    mail_server.refusing = False
    make_due()
    outbox.send_due_messages()
    make_due()
    outbox.send_due_messages()
    assert sorted(mail["To"] for mail in mail_server.mails) == ["ann@example.com", "bob@example.com"]


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_does_not_respond_does_not_delay_a_tick() -> None:
    with socket.create_server((HOST, 0)) as silent:
        server = MailServer()
        server.port = silent.getsockname()[1]
        with override_settings(**server.settings()):
            ended(a_job_with_subscribers(a_subscriber()), Status.FAILED)
            tick()
            accepted = silent.accept()[0]
            assert outbox.is_sending(), "the tick has ended, its sender waits for an answer"
            tick()
            accepted.close()
            wait_until(lambda: not outbox.is_sending())
    assert "Connection unexpectedly closed" in Outbox.objects.get().error


@pytest.mark.django_db(transaction=True)
def test_a_cron_process_sends_its_mails_before_it_ends(
    mail_server: MailServer, subprocess_env: dict[str, str], tmp_path: Path
) -> None:
    job = a_booked_job(cron="0 0 1 1 *", command="fails", args="--status 7")
    job.subscribers.set([a_subscriber()])
    local = {"default": {"BACKEND": "chroniker.executors.local.LocalExecutor"}}
    env = with_settings(
        subprocess_env, CHRONIKER_EXECUTORS=local, CHRONIKER_RUNTIME_DIR=str(tmp_path / "run"), **mail_server.settings()
    )
    words = ["-m", "django", "cron", "--jobs", str(job.pk), "--force-run"]
    with Process(words, env, tmp_path, name="cron") as cron:
        assert cron.wait() == 0, cron.log
    assert Run.objects.get().status == Status.FAILED
    assert "Exit status: 7" in text_of(mail_server)
    assert Outbox.objects.get().sent_at is not None


@pytest.mark.parametrize(
    ("settings", "sender"),
    [
        ({}, "webmaster@localhost"),
        ({"CHRONIKER_EMAIL_SENDER": "jobs@example.com"}, "jobs@example.com"),
        ({"CHRONIKER_EMAIL_SENDER": "The Jobs <jobs@example.com>"}, "The Jobs <jobs@example.com>"),
        ({"CHRONIKER_EMAIL_HOST_USER": "smtp@example.com"}, "smtp@example.com"),
        (
            {"CHRONIKER_EMAIL_SENDER": "The Jobs", "CHRONIKER_EMAIL_HOST_USER": "smtp@example.com"},
            "The Jobs <smtp@example.com>",
        ),
        ({"CHRONIKER_EMAIL_SENDER": "The Jobs"}, "The Jobs <webmaster@localhost>"),
    ],
)
def test_the_sender_address_comes_from_a_setting(
    mail_server: MailServer, settings: dict[str, str], sender: str
) -> None:
    with override_settings(**settings):
        ended(a_job_with_subscribers(a_subscriber()), Status.FAILED)
        outbox.send_due_messages()
    assert mail_server.mails[0]["From"] == sender


@override_settings(
    CHRONIKER_EMAIL_SUBJECT_ERROR="[jobs] {{ job.name }} #{{ run.token }}: {{ outcome }}",
    CHRONIKER_EMAIL_SUBJECT_SUCCESS="[jobs] {{ job.name }} is fine",
)
def test_subjects_are_templates(mail_server: MailServer) -> None:
    job = a_job_with_subscribers(a_subscriber(), name="R&D", email_success_to_subscribers=True)
    ended(job, Status.FAILED)
    ended(job, Status.SUCCEEDED)
    outbox.send_due_messages()
    assert [mail["Subject"] for mail in mail_server.mails] == ["[jobs] R&D #1: failed", "[jobs] R&D is fine"]


def test_a_line_break_in_a_job_name_adds_no_mail_header(mail_server: MailServer) -> None:
    ended(a_job_with_subscribers(a_subscriber(), name="a\r\nBcc: eve@example.com\r\n\r\nb"), Status.FAILED)
    assert outbox.send_due_messages() == 1
    [mail] = mail_server.mails
    assert mail["Subject"] == "Error: a Bcc: eve@example.com b (failed)" and mail["Bcc"] is None


def test_only_the_end_of_long_output_is_mailed(mail_server: MailServer) -> None:
    output = "".join(f"line {n}\n" for n in range(100_000))
    ended(a_job_with_subscribers(a_subscriber()), Status.FAILED, output=output)
    outbox.send_due_messages()
    text = text_of(mail_server)
    assert "line 99999" in text and "line 99950" in text and "line 99949\n" not in text


def link(server: MailServer) -> str:
    return next((line for line in text_of(server).splitlines() if line.startswith("http")), "")


def test_the_link_uses_the_domain_of_the_site(mail_server: MailServer) -> None:
    Site.objects.update(domain="shop.example.com")
    Site.objects.clear_cache()
    run = ended(a_job_with_subscribers(a_subscriber()), Status.FAILED)
    outbox.send_due_messages()
    assert link(mail_server) == f"http://shop.example.com/admin/chroniker/run/{run.pk}/change/"


@pytest.mark.parametrize("base", ["https://jobs.example.com/", None])
@modify_settings(INSTALLED_APPS={"remove": "django.contrib.sites"})
def test_without_the_sites_framework_the_link_uses_a_setting(mail_server: MailServer, base: Any) -> None:
    with override_settings(CHRONIKER_BASE_URL=base):
        run = ended(a_job_with_subscribers(a_subscriber()), Status.FAILED)
        outbox.send_due_messages()
    assert link(mail_server) == (f"https://jobs.example.com/admin/chroniker/run/{run.pk}/change/" if base else "")


def test_a_job_without_notifications_needs_no_statement() -> None:
    """The same job with and without subscribers: the end of a run needs one more insert and one more query."""
    costs = []
    for users in ([], [a_subscriber("ann"), a_subscriber("bob"), a_subscriber("cem")]):
        job = a_job_with_subscribers(*users)
        ended(job, Status.FAILED)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            ended(job, Status.FAILED)
        costs.append([query["sql"] for query in queries])
    assert not [sql for sql in costs[0] if "outbox" in sql or "auth_user" in sql]
    assert len(costs[1]) == len(costs[0]) + 2

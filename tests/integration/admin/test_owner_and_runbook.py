"""Owner and runbook of a job: whom to ask, and what to do when it fails."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.test import Client, override_settings

from chroniker import lifecycle, outbox
from chroniker.declared import source_code
from chroniker.lifecycle import Outcome
from chroniker.models import Job, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber, ended
from tests.support.factories import a_booked_job, a_job, started
from tests.support.message_servers import MailServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

NEVER = "0 0 1 1 *"


@pytest.mark.parametrize("address", ["https://wiki.example.com/a?b#c", "http://wiki:8080/a", "/admin/docs/"])
def test_an_address_or_a_path_is_accepted(address: str) -> None:
    a_job(runbook_url=address).full_clean()


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "//evil.example.com", "wiki/page", "https://", "https://a b", "https://a\n"]
)
def test_other_addresses_are_refused_and_never_a_link(address: str) -> None:
    job = a_job(runbook_url=address)
    with pytest.raises(ValidationError) as refusal:
        job.full_clean()
    assert refusal.value.message_dict["runbook_url"] == ["Give an address that begins with https://, http:// or /."]
    assert job.runbook == ""


def test_the_pages_show_owner_and_runbook(admin: Client) -> None:
    job = a_booked_job(name="nightly", cron=NEVER, owner="Data <team>", runbook_url="https://wiki.example.com/nightly")
    run = run_now(job, requested_by="a test")
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED))
    now = admin.get("/admin/chroniker/job/now/").content.decode()
    assert "Owner: Data &lt;team&gt;." in now
    assert 'href="https://wiki.example.com/nightly"' in now and "Runbook of nightly" in now
    status = admin.get(f"/admin/chroniker/job/{job.pk}/status/").content.decode()
    assert "Data &lt;team&gt;" in status and '<a href="https://wiki.example.com/nightly">' in status
    found = admin.get("/admin/chroniker/job/?q=team").content.decode()
    assert "nightly" in found and "Data &lt;team&gt;" in found
    form = admin.get(f"/admin/chroniker/job/{job.pk}/change/").content.decode()
    assert 'name="owner"' in form and 'name="runbook_url"' in form


def test_the_list_of_jobs_can_be_limited_to_those_of_an_owner(admin: Client) -> None:
    for name, owner in (("one", "data"), ("two", "web"), ("three", "")):
        a_booked_job(name=name, cron=NEVER, owner=owner)
    whole = admin.get("/admin/chroniker/job/").content.decode()
    assert all(text in whole for text in ('name="owner"', ">data<", ">web<", ">three<"))
    found = admin.get("/admin/chroniker/job/?owner=data").content.decode()
    assert ">one<" in found and ">two<" not in found and ">three<" not in found


@override_settings(CHRONIKER_BASE_URL="https://jobs.example.com")
def test_mails_name_owner_and_runbook(mail_server: MailServer) -> None:
    ended(a_job_with_subscribers(a_subscriber(), owner="Data team", runbook_url="/docs/nightly/"), Status.FAILED)
    outbox.send_due_messages()
    text = mail_server.mails[0].get_content()
    assert "Owner: Data team\nRunbook: https://jobs.example.com/docs/nightly/\n" in text


def test_declarations_and_exported_code_have_owner_and_runbook() -> None:
    job = a_job(name="nightly", owner="Data team", runbook_url="/docs/")
    text = source_code.module_source(Job.objects.get(pk=job.pk))
    assert 'owner="Data team"' in text and 'runbook_url="/docs/"' in text

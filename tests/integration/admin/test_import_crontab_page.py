"""The page that imports a crontab: a preview that writes nothing, then the jobs."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from chroniker.models import AuditEntry, Job, JobState
from tests.support.factories import a_job

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.urls")]

CRONTAB = """MAILTO=ops@example.com
# Sends the report
30 3 * * 1-5 /usr/bin/report --day yesterday
no schedule at all
"""


def page(client: Client, **fields: str) -> str:
    data = {"text": CRONTAB, "zone": "Europe/Paris", **fields}
    response = client.post(reverse("admin:chroniker_job_import_crontab"), data, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_the_preview_shows_what_each_line_becomes_and_writes_nothing(admin_client: Client) -> None:
    found = page(admin_client, preview="1")
    assert "would be imported" in found and found.count("not imported") == 1
    assert "30 3 * * 1-5 /usr/bin/report --day yesterday" in found
    assert "Cron sent the output by mail to ops@example.com" in found
    assert 'name="import"' in found and "Import 1 job<" in found
    assert not Job.objects.exists() and not LogEntry.objects.exists()


def test_the_import_makes_jobs_with_an_entry_of_the_user_and_repeats_none(admin_client: Client) -> None:
    found = page(admin_client, **{"import": "1"})
    job = Job.objects.get()
    assert (job.cron, job.timezone, job.raw_command, job.enabled) == (
        "30 3 * * 1-5", "Europe/Paris", "/usr/bin/report --day yesterday", True
    )  # fmt: skip
    assert (
        "1 job was imported (lines with a command: 2)." in found
        and "remove the lines of the imported jobs from the crontab" in found
    )
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.action_flag) == (str(job.pk), ADDITION)
    assert not AuditEntry.objects.exists(), "it names programs, not users"
    found = page(admin_client, **{"import": "1"})
    assert "imported before, unchanged" in found and 'name="import"' not in found
    assert Job.objects.count() == LogEntry.objects.count() == 1


def test_jobs_may_be_imported_disabled_with_users_in_the_lines(admin_client: Client) -> None:
    text = "0 4 * * * root /usr/bin/clean\n"
    found = page(admin_client, text=text, system="on", disabled="on", **{"import": "1"})
    assert not Job.objects.get().enabled and "remove the lines" not in found


def test_a_booked_job_has_its_next_run(admin_client: Client, django_capture_on_commit_callbacks: object) -> None:
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        page(admin_client, **{"import": "1"})
    assert JobState.objects.get().next_run is not None


def test_a_line_that_needs_a_fix_becomes_a_disabled_job(admin_client: Client) -> None:
    found = page(admin_client, text="61 * * * * /usr/bin/late\n", preview="1")
    assert "It is disabled here until this is fixed:" in found and ", disabled<" in found


def test_wrong_input_is_explained(admin_client: Client) -> None:
    assert "There is no time zone with this name." in page(admin_client, zone="Europe/Nowhere")
    assert "There is no line with a command." in page(admin_client, text="# nothing\n")
    assert "This field is required." in page(admin_client, text="")
    a_job(name="Sends the report")
    assert "Another job already has this name." in page(admin_client)


def test_hostile_lines_are_shown_as_text(admin_client: Client) -> None:
    found = page(admin_client, text="* * * * * echo <script>alert(1)</script>\n")
    assert "<script>alert(1)" not in found and "&lt;script&gt;alert(1)" in found


def test_only_who_may_add_jobs_may_import_them(client: Client) -> None:
    user = User.objects.create_user("viewer", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_job"))
    client.force_login(user)
    address = reverse("admin:chroniker_job_import_crontab")
    assert client.get(address).status_code == client.post(address, {"text": CRONTAB}).status_code == 403
    assert address not in client.get(reverse("admin:chroniker_job_changelist")).content.decode()
    user.user_permissions.add(Permission.objects.get(codename="add_job"))
    assert client.get(address).status_code == 200
    assert address in client.get(reverse("admin:chroniker_job_changelist")).content.decode()

"""Jobs: create, edit, clone, delete; the searchable list of commands; arguments; the next ten scheduled times."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import Job, JobDependency, Overlap, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.admin_pages import errors, fields, open_form, url
from tests.support.factories import a_booked_job, a_dependency, started

pytestmark = pytest.mark.django_db
ADD = "/admin/chroniker/job/add/"


def options(client: Client) -> dict[str, tuple[str, str]]:
    """The commands of the form: app and help by command name."""
    found = re.findall(
        r'<option value="([^"]*)" data-app="([^"]*)" data-help="([^"]*)">', client.get(ADD).content.decode()
    )
    return {name: (app, html.unescape(message)) for name, app, message in found}


def described(client: Client, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(reverse("admin:chroniker_job_command"), {"name": name}).json()
    return answer


def test_a_job_is_created_edited_and_deleted(admin: Client) -> None:
    form = {**open_form(admin), "name": "backup", "command": "noop", "cron": "0 3 * * *"}
    assert admin.post(ADD, form).status_code == 302
    job = Job.objects.get(name="backup")
    assert admin.post(url(job), {**open_form(admin, job), "cron": "0 4 * * *"}).status_code == 302
    assert Job.objects.get().cron == "0 4 * * *"
    assert admin.post(reverse("admin:chroniker_job_delete", args=[job.pk]), {"post": "yes"}).status_code == 302
    assert not Job.objects.exists()


def test_commands_are_offered_with_their_app_and_help_and_denied_ones_are_not(admin: Client) -> None:
    offered = options(admin)
    assert offered["noop"][0] == "tests.testapp"
    assert offered["takes"] == ("tests.testapp", "Take every kind of argument that there is.")
    assert offered["migrate"][0] == "django.core"
    assert not {"flush", "shell", "runserver"} & offered.keys()
    with override_settings(CHRONIKER_COMMANDS=["no*"]):
        assert list(options(admin)) == ["noop"]


def test_help_and_options_of_the_chosen_command_are_returned(admin: Client) -> None:
    answer = described(admin, "takes")
    assert answer["help"] == "Take every kind of argument that there is."
    by_name = {option["names"]: option for option in answer["options"]}
    assert by_name["--colour {red,green}"]["note"] == "required"
    assert by_name["--number, -n N"]["note"] == "default: 7"
    assert by_name["--traceback"]["common"]


def test_a_command_that_cannot_be_described_returns_the_reason(admin: Client) -> None:
    assert "a library <that> is missing" in described(admin, "cannot_load")["error"]
    assert "cannot be scheduled" in described(admin, "flush")["error"]
    assert "no management command" in described(admin, "x" * 200)["error"]
    assert "name must be" in described(admin, "")["error"]


def test_loading_a_command_s_code_needs_the_right_to_write_jobs(staff: Callable[..., Client]) -> None:
    address = reverse("admin:chroniker_job_command")
    assert staff("view_job").get(address, {"name": "noop"}).status_code == 403
    assert staff("view_job", "change_job").get(address, {"name": "noop"}).status_code == 200
    assert Client().get(address, {"name": "noop"}).status_code == 403


def test_arguments_are_written_as_on_a_command_line_with_options(admin: Client) -> None:
    line = "'two words' --colour red --number=8"
    form = {**open_form(admin), "name": "a", "command": "takes", "args": line, "cron": "0 3 * * *"}
    assert admin.post(ADD, form).status_code == 302
    assert Job.objects.get().args == line


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("one --colour red --nonsense", "--nonsense"),
        ("one --color red", "Did you mean “--colour”"),
        ("one", "required: --colour"),
        ("one --colour blue", "blue"),
    ],
)
def test_arguments_that_the_command_does_not_take_are_refused_and_named(admin: Client, args: str, message: str) -> None:
    form = {**open_form(admin), "name": "a", "command": "takes", "args": args, "cron": "0 3 * * *"}
    assert message in errors(admin.post(ADD, form))["args"][0]
    assert not Job.objects.exists()


def test_stored_arguments_stay_valid_when_the_command_changes(admin: Client) -> None:
    job = a_booked_job(command="takes", args="--no-longer-known")
    assert admin.post(url(job), {**open_form(admin, job), "name": "renamed"}).status_code == 302
    assert Job.objects.get().name == "renamed"
    assert "args" in errors(admin.post(url(job), {**open_form(admin, job), "args": "--nor-this"}))


def test_a_command_that_cannot_be_loaded_here_may_still_be_scheduled_elsewhere(admin: Client) -> None:
    form = {**open_form(admin), "name": "a", "command": "cannot_load", "args": "--any", "cron": "0 3 * * *"}
    assert admin.post(ADD, form).status_code == 302


def test_arguments_for_one_run_are_checked_by_the_same_rule(admin: Client) -> None:
    job = a_booked_job(command="takes", args="one --colour red")
    address = reverse("admin:chroniker_job_run_with", args=[job.pk])
    page = admin.post(address, {"args": "one --colour red --nonsense"})
    assert "--nonsense" in page.content.decode()
    assert not job.runs.exists()


def clone_form(client: Client, job: Job) -> tuple[str, dict[str, Any]]:
    """The address of the page's button, and the values of the form at that address."""
    page = client.get(url(job)).content.decode()
    found = re.search(r'<a href="([^"]*clone=[^"]*)">Clone</a>', page)
    assert found, "no button"
    return found[1], fields(client.get(found[1]))


def test_a_clone_keeps_everything_but_the_name_and_starts_disabled(admin: Client) -> None:
    moment = database_now().replace(microsecond=0)
    job = a_booked_job(
        name="report", command="takes", args="one --colour red", cron="0 3 * * *", timezone="Asia/Tokyo",
        overlap=Overlap.SKIP, starts_at=moment, timeout_seconds=60, environment="A=1", force_run=True,
        log_stdout=False,
    )  # fmt: skip
    job.subscribers.add(User.objects.create_user("reader"))
    load = a_booked_job(name="load")
    a_dependency(job, load, wait_for_success=True)
    address, form = clone_form(admin, job)
    assert form["name"] == ""
    assert not Job.objects.exclude(pk__in=[job.pk, load.pk]).exists(), "opening the form has saved it"
    assert admin.post(address, {**form, "name": "second report"}).status_code == 302
    clone = Job.objects.get(name="second report")
    own = {"id", "name", "enabled", "edited_at", "force_run"}
    for field in Job._meta.concrete_fields:
        if field.name not in own:
            assert getattr(clone, field.name) == getattr(job, field.name), field.name
    assert (clone.enabled, clone.force_run) == (False, False)
    assert [user.username for user in clone.subscribers.all()] == ["reader"]
    copied = JobDependency.objects.get(dependent=clone)
    assert (copied.dependee, copied.wait_for_success, copied.wait_for_completion) == (load, True, False)


def test_cloning_needs_the_rights_to_add_and_view_jobs(staff: Callable[..., Client]) -> None:
    job = a_booked_job()
    address = f"{ADD}?clone={job.pk}"
    assert "Clone</a>" not in staff("view_job", "change_job").get(url(job)).content.decode()
    assert staff("view_job", "change_job").get(address).status_code == 403
    assert staff("add_job").get(address).status_code == 403
    assert staff("add_job", "view_job").get(address).status_code == 200


@pytest.mark.parametrize("key", ["x", "0", "9" * 30, ""])
def test_a_clone_of_a_missing_job_is_not_found(admin: Client, key: str) -> None:
    assert admin.get(f"{ADD}?clone={key}").status_code == 404


def test_the_page_costs_the_same_statements_for_any_history(admin: Client) -> None:
    def statements(job: Job) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(url(job)).status_code == 200
        return len(queries)

    few, many = a_booked_job(name="few"), a_booked_job(name="many")
    for job, count in ((few, 2), (many, 30)):
        for _ in range(count):
            run = run_now(job, requested_by="a test")
            lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED))
        for _ in range(count // 2):
            a_dependency(a_booked_job(), job, wait_for_success=True)
    statements(few)  # content types are cached from now on
    assert statements(many) == statements(few)


def test_the_list_of_a_hundred_thousand_jobs_reads_only_the_shown_rows(admin: Client) -> None:
    """No statement reads or counts all rows."""
    now = database_now()
    Job.objects.bulk_create(Job(name=f"job {n}", command="noop", cron="0 0 1 1 *", edited_at=now) for n in range(120))
    with CaptureQueriesContext(connection) as queries:
        assert admin.get("/admin/chroniker/job/").status_code == 200
    unbounded = [
        sql for sql in (query["sql"] for query in queries)
        if re.search(r"FROM .chroniker_(job|jobstate|run|lease)\b", sql) and " WHERE " not in sql
    ]  # fmt: skip
    assert unbounded == []
    counts = [sql for query in queries for sql in re.findall(r"COUNT\(\*\) FROM \(.*?counted", query["sql"])]
    assert counts and all("LIMIT 1001" in sql for sql in counts)

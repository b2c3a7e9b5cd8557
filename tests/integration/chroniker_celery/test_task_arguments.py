"""Celery tasks as jobs: their arguments are checked wherever a job is edited."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import reverse

from chroniker import job as declare
from chroniker.admin.jobs import what_runs
from chroniker.declared import source_code
from chroniker.exceptions import ClaimRefused
from chroniker.job_commands import hand_over, options, pickers
from chroniker.models import Job
from chroniker.scheduler import manual_runs
from tests.celeryapp import app
from tests.integration.chroniker_celery.steps import NEVER
from tests.integration.chroniker_celery.task_commands import COMMAND, words
from tests.support.declared_app import Shop
from tests.support.factories import a_booked_job, a_job

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]

REFUSED = {
    "an unknown task": (
        ("testapp.take",),
        "There is no task “testapp.take” in this project; --send sends it to a worker that has it. "
        "Did you mean “testapp.takes”?",
    ),
    "a missing argument": (
        ("testapp.takes",),
        "The task does not accept these arguments: takes() missing 1 required positional argument: 'year'.",
    ),
    "an unknown argument": (
        ("testapp.takes", "--args", "[2026]", "--kwargs", '{"ful": true}'),
        "The task does not accept these arguments: takes() got an unexpected keyword argument 'ful'",
    ),
    "too many arguments of a bound task": (
        ("testapp.retries", "--args", "[1, 2, 3]"),
        "The task does not accept these arguments:",
    ),
    "no JSON": (("testapp.takes", "--args", "[2026"), "[2026 is not JSON:"),
    "an object as list": (
        ("testapp.takes", "--args", "{}"),
        '{} has the wrong type. Write a list, like ["a", 1].',
    ),
    "a list as object": (
        ("testapp.takes", "--kwargs", "[1]"),
        '[1] has the wrong type. Write an object, like {"full": true}.',
    ),
    "too much": (("testapp.takes", "--args", f'["{"x" * 70_000}"]'), "characters; at most 65536 are allowed."),
}
ACCEPTED = {
    "its arguments": ("testapp.takes", "--args", "[2026]", "--kwargs", '{"full": true}'),
    "a bound task": ("testapp.retries", "--args", "[1]"),
    "a task without typing": ("testapp.takes_anything", "--args", "[1, 2, 3]"),
    "an unknown task that is sent": ("other.project.task", "--args", "[1]", "--send"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_arguments_that_the_task_would_refuse_are_refused_when_the_job_is_saved(case: str) -> None:
    given, message = REFUSED[case]
    with pytest.raises(ValidationError) as refusal:
        Job(name="a task", command=COMMAND, args=words(*given), cron="* * * * *").full_clean()
    (text,) = refusal.value.message_dict["args"]
    assert message in text
    assert options.argument_error(COMMAND, words(*given)) is not None


@pytest.mark.parametrize("case", ACCEPTED)
def test_arguments_that_the_task_accepts_are_saved(case: str) -> None:
    Job(name="a task", command=COMMAND, args=words(*ACCEPTED[case]), cron="* * * * *").full_clean()


def test_the_same_words_are_shown_by_the_form_run_now_and_a_declaration(admin_client: Client) -> None:
    job = a_booked_job(command=COMMAND, args=words("testapp.takes", "--args", "[2026]"), cron=NEVER)
    url = reverse("admin:chroniker_job_change", args=[job.pk])
    data = {**_fields_of(admin_client, url), "args": words("testapp.take")}
    page = admin_client.post(url, data).content.decode()
    assert page.count("There is no task “testapp.take” in this project") == 1
    with pytest.raises(ClaimRefused, match=r"missing 1 required positional argument"):
        manual_runs.run_now(job, "a test", args="testapp.takes")
    declaration = declare(name="declared", command=COMMAND, args="testapp.take", cron=NEVER)
    with pytest.raises(ValidationError, match=r"There is no task"):
        Job(name="declared", command=COMMAND, args=declaration.fields["args"], cron=NEVER).full_clean()


@pytest.mark.parametrize("sends", [True, False])
def test_a_task_that_is_handed_over_says_so_wherever_its_job_is_shown(admin_client: Client, sends: bool) -> None:
    name, note = "testapp.takes", "work handed over, its result is not tracked"
    args = words(name, "--args", '["--send-not"]', *(["--send"] if sends else []))
    job = a_booked_job(name="report", command=COMMAND, args=args, cron=NEVER)
    run = manual_runs.run_now(job, "a test")
    for view, pk in (("job_changelist", None), ("job_status", job.pk), ("run_change", run.pk)):
        page = admin_client.get(reverse(f"admin:chroniker_{view}", args=[] if pk is None else [pk]))
        assert (note in page.content.decode()) == sends, view
    assert ("# Work handed over, its result is not tracked" in source_code.module_source(job)) == sends
    out = io.StringIO()
    call_command("jobs", stdout=out)
    assert (note in out.getvalue()) == sends
    out = io.StringIO()
    call_command("jobs", "--json", stdout=out)
    assert json.loads(out.getvalue())["handed_over"] is sends


def test_the_note_of_a_run_follows_from_the_arguments_of_the_run(admin_client: Client) -> None:
    args = words("testapp.takes", "--args", "[1]")
    job = a_booked_job(name="report", command=COMMAND, args=f"{args} --send", cron=NEVER)
    run = manual_runs.run_now(job, "a test", args=args)
    for view, pk, is_noted in (("job_status", job.pk, True), ("run_change", run.pk, False)):
        page = admin_client.get(reverse(f"admin:chroniker_{view}", args=[pk]))
        assert ("work handed over, its result is not tracked" in page.content.decode()) == is_noted, view


@pytest.mark.parametrize("args", ["--send '", 'testapp.takes --send "x', "\\"])
def test_arguments_that_cannot_be_split_hand_nothing_over(args: str) -> None:
    assert not hand_over.is_work_handed_over(COMMAND, args)


def test_the_form_offers_the_tasks_of_the_project_with_their_signature() -> None:
    found = {offer.name: offer for offer in pickers.choices_of_command(COMMAND)}
    assert (found["testapp.takes"].signature, found["testapp.takes"].help) == (
        "(year, *, full=False)",
        "Take arguments.",
    )
    assert "chroniker_celery.execute" in app.tasks and "celery.chord" in app.tasks
    assert [name for name in found if name.startswith(("celery.", "chroniker_celery."))] == []
    assert pickers.choices_of_command("noop") == []


@pytest.mark.parametrize(
    ("args", "call"),
    [
        ("", {"name": "", "args": "", "kwargs": "", "others": ""}),
        ("testapp.takes --args [1] --send", {"name": "testapp.takes", "args": "[1]", "kwargs": "", "others": "--send"}),
        ("testapp.takes 'open", None),
        ("--send testapp.takes", None),
        ("testapp.takes --args", None),
    ],
)
def test_the_form_takes_apart_only_arguments_that_it_can_put_together(args: str, call: dict[str, str] | None) -> None:
    [picker] = json.loads(what_runs.command_choice_as_json(COMMAND, args))["pickers"]
    assert picker["call"] == call


def test_the_form_offers_no_tasks_if_the_app_cannot_be_imported() -> None:
    backend = {"BACKEND": "chroniker_celery.executor.CeleryExecutor", "OPTIONS": {"app": "no.such:app"}}
    with override_settings(CHRONIKER_EXECUTORS={"default": backend}):
        assert pickers.choices_of_command(COMMAND) == []


def test_sync_jobs_refuses_a_declared_job_with_a_misspelt_task(shop: Shop) -> None:
    shop.jobs(
        """report = chroniker.job(name="report", command="run_celery_task", args="testapp.take", cron="@daily")"""
    )
    assert "Did you mean “testapp.takes”?" in shop.sync("--check")
    assert not Job.objects.exists()


def test_a_job_whose_task_is_gone_can_still_be_disabled_in_its_form(admin_client: Client) -> None:
    job = a_job(command=COMMAND, args="removed.task", cron=NEVER)
    url = reverse("admin:chroniker_job_change", args=[job.pk])
    fields = _fields_of(admin_client, url)
    del fields["enabled"]
    assert admin_client.post(url, fields).status_code == 302
    job.refresh_from_db()
    assert not job.enabled


def _fields_of(client: Client, url: str) -> dict[str, Any]:
    """The fields of the page as a browser would send them."""
    page = client.get(url)
    form = page.context["adminform"].form
    fields = {form.add_prefix(name): form[name].value() for name in form.fields}
    for name in form.fields:
        if form.fields[name].show_hidden_initial:
            fields[form.add_initial_prefix(name)] = form[name].initial
    for inline in page.context["inline_admin_formsets"]:
        management = inline.formset.management_form
        fields |= {management.add_prefix(name): management[name].value() for name in management.fields}
    return {name: "" if value is None else value for name, value in fields.items() if value is not False}

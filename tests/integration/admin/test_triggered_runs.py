"""Pages and commands about a run that a trigger started."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from chroniker import lifecycle
from chroniker.admin.shared.run_cells import started_by_text
from chroniker.executors.database_report import DatabaseReport
from chroniker.lifecycle import Outcome
from chroniker.management.console import describe_run
from chroniker.models import Activation, Job, JobTrigger, Run, Status, TriggerOn
from chroniker.scheduler.events import trigger
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, a_dependency, started

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]


def a_triggered_run(**fields: Any) -> tuple[Run, Run]:
    """The run of “load” that ended, and the one that it started."""
    yearly: dict[str, Any] = {"cron": "0 0 1 1 *"}
    load, report = a_booked_job(name="load", **yearly), a_booked_job(name="report", **{**yearly, **fields})
    JobTrigger.objects.create(source=load, target=report, on=TriggerOn.ENDED)
    cause = run_now(load, requested_by="ann")
    lifecycle.finish(cause.pk, cause.token, started(cause), Outcome(Status.SUCCEEDED))
    [run] = tick().claimed
    return cause, run


def test_the_page_of_the_run_names_and_links_its_cause(admin_client: Client) -> None:
    cause, run = a_triggered_run()
    text = admin_client.get(reverse("admin:chroniker_run_change", args=[run.pk])).content.decode()
    assert f'<a href="{reverse("admin:chroniker_run_change", args=[cause.pk])}">load, run 1</a>' in text


def test_the_page_says_that_the_cause_was_deleted(admin_client: Client) -> None:
    cause, run = a_triggered_run()
    Job.objects.filter(pk=cause.job_id).delete()
    text = admin_client.get(reverse("admin:chroniker_run_change", args=[run.pk])).content.decode()
    assert f"a run that was deleted: {cause.pk}" in text


def test_the_command_gets_its_cause() -> None:
    cause, run = a_triggered_run()
    spec = DatabaseReport(run.pk, run.token).start(pid=1)
    assert spec is not None
    assert spec.variables["CHRONIKER_CAUSE_RUN_ID"] == str(cause.pk)
    assert spec.variables["CHRONIKER_CAUSE_JOB"] == "load"
    assert spec.variables["CHRONIKER_TRIGGER"] == "EVENT"


def test_a_run_without_a_cause_has_no_such_variables() -> None:
    run = run_now(a_booked_job(), requested_by="ann")
    spec = DatabaseReport(run.pk, run.token).start(pid=1)
    assert spec is not None
    assert not {"CHRONIKER_CAUSE_RUN_ID", "CHRONIKER_CAUSE_JOB"} & spec.variables.keys()


def test_tables_and_commands_name_the_trigger_or_the_requester() -> None:
    _cause, run = a_triggered_run()
    assert started_by_text(run, run.job) == "trigger"
    assert describe_run(run) == "“report”: run 1, by a trigger"
    run.asked_by, run.cause = "shop", None
    assert started_by_text(run, run.job) == "shop"
    assert describe_run(run) == "“report”: run 1, by an event"
    assert Activation.objects.get().cause is not None


def test_the_graph_draws_triggers_solid_and_dependencies_dashed(admin_client: Client) -> None:
    a_triggered_run()
    load, report = Job.objects.get(name="load"), Job.objects.get(name="report")
    other = a_booked_job(name="clean")
    a_dependency(other, report, wait_for_success=True)
    a_dependency(report, load, wait_for_completion=True)
    text = admin_client.get(reverse("admin:chroniker_job_graph")).content.decode()
    assert 'class="line mute trigger' in text and 'class="line mute success' in text and 'class="line mute end' in text
    assert "starts the next job" in text and "at its end, starts" in text
    alone = admin_client.get(reverse("admin:chroniker_job_graph"), {"q": "loa"}).content.decode()
    assert "report" in alone


def test_the_page_of_a_job_lists_what_it_starts_and_what_starts_it(admin_client: Client) -> None:
    a_triggered_run()
    load, report = Job.objects.get(name="load"), Job.objects.get(name="report")
    text = admin_client.get(reverse("admin:chroniker_job_status", args=[load.pk])).content.decode()
    assert "<h3>Starts</h3>" in text and "when it ended, with any result" in text
    text = admin_client.get(reverse("admin:chroniker_job_status", args=[report.pk])).content.decode()
    assert "<h3>Started by the end of</h3>" in text


def test_a_running_target_says_how_many_activations_wait(admin_client: Client) -> None:
    report = a_booked_job(name="report", cron="0 0 1 1 *")
    started(run_now(report, requested_by="ann"))
    trigger(report)
    text = admin_client.get(reverse("admin:chroniker_job_status", args=[report.pk])).content.decode()
    assert "1 activation waits for it." in text
    out = io.StringIO()
    call_command("jobs", "--name", "report", stdout=out)
    assert out.getvalue().rstrip().endswith("It is running. 1 activation waits for it.")

"""``manage.py jobs``: its text and its JSON."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker.models import Group, Job, Lease, Run, Status
from chroniker.scheduler import manual_runs
from tests.support.command_jobs import DUMMY, a_job_of_new_year
from tests.support.factories import a_booked_job, a_due_job, a_job, started, state_of
from tests.support.run_history import ended

pytestmark = pytest.mark.django_db(transaction=True)


def printed(*words: str) -> str:
    out = io.StringIO()
    call_command("jobs", *words, stdout=out)
    return out.getvalue()


def as_json(*words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed("--json", *words).splitlines()]


def running(name: str) -> Run:
    job = a_job_of_new_year(name=name)
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        run = manual_runs.run_now(job, "a test")
    started(run)
    return run


def test_each_job_is_a_line_with_state_next_run_and_reason() -> None:
    a_job_of_new_year(name="idle"), a_due_job(name="late"), a_booked_job(name="off", enabled=False)
    head, idle, late, off = printed().splitlines()
    assert head.split("  ")[0] == "id" and head.endswith("why it does not run")
    assert idle.split()[1:3] == ["idle", "idle"] and idle.rstrip().endswith("-")
    assert "It is due; the next tick starts it." in late
    assert "disabled" in off and "It is disabled." in off


def test_filters_narrow_the_list() -> None:
    night = Group.objects.create(name="night")
    a_job_of_new_year(name="A Report", group=night), a_job_of_new_year(name="backup", group=night)
    a_due_job(name="a report too"), running("runs")
    assert [each["name"] for each in as_json("--name", "REPORT")] == ["A Report", "a report too"]
    assert [each["name"] for each in as_json("--group", "night")] == ["A Report", "backup"]
    assert [each["name"] for each in as_json("--state", "due", "running")] == ["a report too", "runs"]
    assert printed("--state", "over") == "No jobs.\n"
    assert as_json("--state", "over") == []


def test_json_has_all_fields_for_each_job() -> None:
    run = running("busy")
    Lease.objects.filter(run=run).update(total_parts=77, total_parts_complete=13)
    new = a_job(name="new")
    assert as_json() == [
        {
            "id": run.job_id,
            "name": "busy",
            "group": None,
            "tags": [],
            "enabled": True,
            "state": "running",
            "next_run": state_of(run.job).next_run.isoformat(),  # type: ignore[union-attr]
            "last_result": None,
            "last_finished_at": None,
            "run": str(run.pk),
            "progress": {"complete": 13, "total": 77},
            "why": "It is running.",
            "handed_over": False,
        },
        {
            "id": new.pk,
            "name": "new",
            "group": None,
            "tags": [],
            "enabled": True,
            "state": "new",
            "next_run": None,
            "last_result": None,
            "last_finished_at": None,
            "run": None,
            "progress": None,
            "why": "It was edited; the next tick applies the edit.",
            "handed_over": False,
        },
    ]


def test_the_last_result_is_shown() -> None:
    from chroniker.models import JobState

    job = a_job_of_new_year(name="failing")
    [run] = ended(job, 1, status=Status.FAILED)
    JobState.objects.filter(pk=job.pk).update(last_status=Status.FAILED, last_finished_at=run.finished_at)
    [listed] = as_json()
    assert (listed["last_result"], listed["last_finished_at"]) == ("FAILED", run.finished_at.isoformat())  # type: ignore[union-attr]
    assert "failed, " in printed()


def test_bad_filters_are_explained() -> None:
    Group.objects.create(name="night")
    with pytest.raises(CommandError, match="Did you mean “night”"):
        printed("--group", "nigth")
    with pytest.raises(CommandError, match="choose from"):
        printed("--state", "asleep")


def test_the_command_needs_the_same_statements_for_many_jobs_as_for_few() -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            printed()
        return len(queries)

    night = Group.objects.create(name="night")
    a_due_job(group=night)
    few = statements()
    for _ in range(12):
        a_due_job(group=night)
    assert Job.objects.count() == 13 and statements() == few

"""Pause and resume all jobs or a group, with user, time and reason."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due, explanations, pauses
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.exceptions import ClaimRefused
from chroniker.lifecycle import Outcome, claim_plan
from chroniker.models import Group, Job, Run, Status, Switch, installation
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import claim_after_run, tick
from tests.support.factories import a_booked_job, a_due_job, started, state_of

LIST = "/admin/chroniker/job/"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]


def manage(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def claimed() -> set[Job]:
    return {run.job for run in tick().claimed}


def test_a_global_pause_prevents_claims_and_lets_runs_finish() -> None:
    running, due_job = a_due_job(), a_booked_job()
    (run,) = tick().claimed
    nonce = started(run)
    manage("pause", "--reason", "a move")
    Job.objects.filter(pk=due_job.pk).update(force_run=True)
    assert claimed() == set()
    with pytest.raises(
        ClaimRefused, match=r"The scheduler has been paused since .* by .* \(manage.py pause\).* a move"
    ):
        run_now(due_job, "a test")
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))
    assert claim_after_run(running.pk).claimed == []
    assert "paused since" in explanations.explanation_texts([state_of(due_job)], database_now())[due_job.pk]
    assert manage("resume").startswith("Resumed")
    assert due_job in claimed()


def test_a_group_pause_affects_only_jobs_of_the_group() -> None:
    group = Group.objects.create(name="reports")
    inside, outside = a_due_job(group=group), a_due_job()
    manage("pause", "--group", "reports", "--reason", "the warehouse is moved")
    assert claimed() == {outside}
    Job.objects.filter(pk=inside.pk).update(force_run=True)
    assert claimed() == set()
    message = "The group “reports” has been paused since"
    with pytest.raises(ClaimRefused, match=message):
        run_now(inside, "a test")
    assert explanations.explanation_texts([state_of(inside)], database_now())[inside.pk].startswith(message)
    assert manage("resume", "--group", "reports").startswith("Resumed")
    assert claimed() == {inside}


def test_the_jobs_of_paused_groups_are_due_where_groups_are_not_checked() -> None:
    paused, other = (Group.objects.create(name=name) for name in ("reports", "other"))
    inside, outside = a_due_job(group=paused), a_due_job(group=other)
    pauses.pause("a test", group=paused)
    now = database_now()
    assert [state.job for state in due.find_due_jobs(SCHEDULED, now)] == [outside]
    assert {state.job for state in due.find_due_jobs(SCHEDULED, now, check_groups=False)} == {inside, outside}


def test_the_pauses_of_some_groups_are_read_without_those_of_others() -> None:
    second, first, _running = (Group.objects.create(name=name) for name in ("b", "a", "c"))
    for group in (second, first):
        pauses.pause("a test", group=group)
    assert list(pauses.read_group_pauses()) == [first.pk, second.pk], "in the order of their names"
    assert list(pauses.read_group_pauses([second.pk])) == [second.pk]
    assert pauses.read_group_pauses([]) == {}
    assert pauses.resume(first)
    assert list(pauses.read_group_pauses()) == [second.pk]


def test_scheduled_times_during_a_pause_follow_the_misfire_policy() -> None:
    patient, strict = a_due_job(minutes=9), a_due_job(minutes=9, misfire_grace_seconds=130)
    pauses.pause("a test")
    assert tick().claimed == []
    assert not Run.objects.exists()
    pauses.resume()
    runs = {run.job_id: run for run in tick().claimed}
    first = runs[patient.pk].scheduled_for
    assert first is not None and Run.objects.filter(job=patient).count() == 1
    skipped = Run.objects.get(job=strict, status=Status.SKIPPED)
    assert skipped.scheduled_for == first
    assert runs[strict.pk].covered_until == runs[patient.pk].covered_until


@pytest.mark.parametrize("of_group", [False, True])
def test_a_pause_between_query_and_claim_prevents_the_claim(of_group: bool) -> None:
    group = Group.objects.create(name="reports")
    a_due_job(group=group)
    now = database_now()
    plans = [claim_plan.plan_scheduled_run(state, now) for state in due.find_due_jobs(SCHEDULED, now)]
    assert len(plans) == 1
    pauses.pause("a test", group=group if of_group else None)
    assert lifecycle.claim(plans, now) == []
    assert not Run.objects.exists()


def test_no_run_of_a_paused_group_is_stopped_by_overlap_replace() -> None:
    group = Group.objects.create(name="reports")
    a_due_job(overlap="REPLACE", group=group)
    (run,) = tick().claimed
    started(run)
    pauses.pause("a test", group=group)
    tick(now=database_now() + dt.timedelta(minutes=3))
    run.refresh_from_db()
    assert run.stop_requested_at is None


def test_a_second_pause_does_not_change_the_first() -> None:
    manage("pause", "--reason", "first")
    assert "first" in manage("pause", "--reason", "second")
    assert Switch.objects.get().paused_reason == "first"
    assert manage("resume").startswith("Resumed")
    assert manage("resume") == "It was not paused.\n"


def test_resume_reports_the_pauses_that_remain() -> None:
    pauses.pause("anna", "inventory", Group.objects.create(name="stock"))
    assert "The group “stock” has been paused since" in manage("resume")
    with override_settings(CHRONIKER_PAUSED=True), pytest.raises(CommandError, match="CHRONIKER_PAUSED still pauses"):
        manage("resume")


def test_pausing_an_unknown_group_does_not_pause_all_jobs() -> None:
    Group.objects.create(name="reports")
    with pytest.raises(CommandError, match=r"There is no group with the name “report”\. Did you mean “reports”\?"):
        manage("pause", "--group", "report")
    assert pauses.global_pause() is None


def test_the_switch_is_read_within_other_statements() -> None:
    for _each in range(3):
        a_due_job()
    installation.record_database_identity()
    with CaptureQueriesContext(connection) as queries:
        tick()
    alone = [query for query in queries if 'FROM "chroniker_switch"' in query["sql"].replace("`", '"')]
    assert len(alone) == 2, "once for the tick, and once under the locks of its claim"
    assert all("jobstate" in query["sql"] for query in alone)


# -- the admin ---------------------------------------------------------------------------------------------------


def test_all_jobs_are_paused_and_resumed_in_the_admin(admin: Client) -> None:
    job = a_due_job()
    page = reverse("admin:chroniker_job_pause")
    assert page in admin.get(reverse("admin:chroniker_job_now")).content.decode()
    assert "Pause all jobs" in admin.get(page).content.decode()
    assert pauses.global_pause() is None
    assert admin.post(page, {"pause": "Pause", "reason": "a <b>move</b>"}).status_code == 302
    assert tick().claimed == []
    for address in (LIST, reverse("admin:chroniker_job_change", args=[job.pk])):
        shown = admin.get(address).content.decode()
        assert "Paused by root since" in shown and ": a &lt;b&gt;move&lt;/b&gt;. Resume…" in shown
        assert page in shown
    assert "Resume all jobs" in admin.get(page).content.decode()
    admin.post(page, {"resume": "Resume"})
    assert "Paused by root" not in admin.get(LIST).content.decode()
    entries, switch = LogEntry.objects.order_by("pk"), ContentType.objects.get_for_model(Switch)
    assert [(entry.content_type, entry.get_change_message()) for entry in entries] == [
        (switch, "Paused. a <b>move</b>"),
        (switch, "Resumed."),
    ]


def test_a_group_is_paused_and_resumed_in_the_admin(admin: Client) -> None:
    group = Group.objects.create(name="reports")
    a_due_job(group=group)
    page = reverse("admin:chroniker_group_pause", args=[group.pk])
    assert page in admin.get(reverse("admin:chroniker_group_change", args=[group.pk])).content.decode()
    admin.post(page, {"pause": "Pause", "reason": "a move"})
    shown = admin.get(LIST).content.decode()
    assert "The group “reports” has been paused since" in shown and "by root. a move" in shown
    assert "a move" in admin.get("/admin/chroniker/group/").content.decode()
    admin.post(page, {"resume": "Resume"})
    group.refresh_from_db()
    assert (group.paused_at, group.paused_by, group.paused_reason) == (None, "", "")
    assert LogEntry.objects.filter(object_id=str(group.pk)).count() == 2
    assert admin.get(reverse("admin:chroniker_group_pause", args=[4711])).status_code == 404


def test_pressing_the_button_twice_is_logged_once(admin: Client) -> None:
    for _each in range(2):
        admin.post(reverse("admin:chroniker_job_pause"), {"pause": "Pause"})
    assert LogEntry.objects.count() == 1
    assert pauses.global_pause() is not None


def test_pausing_needs_its_own_permission(staff: Callable[..., Client]) -> None:
    group = Group.objects.create(name="reports")
    pages = [reverse("admin:chroniker_job_pause"), reverse("admin:chroniker_group_pause", args=[group.pk])]
    client = staff("view_job", "change_job", "change_group", "run_job", "stop_job")
    offered_by = [reverse("admin:chroniker_job_now"), reverse("admin:chroniker_group_change", args=[group.pk])]
    for page, other in zip(pages, offered_by, strict=True):
        assert client.get(page).status_code == client.post(page, {"pause": "Pause"}).status_code == 403
        shown = client.get(other)
        assert shown.status_code == 200 and page not in shown.content.decode()
    assert not LogEntry.objects.exists()
    trusted = staff("view_job", "pause_jobs")
    for page in pages:
        answer: Any = trusted.post(page, {"pause": "Pause"})
        assert answer.status_code == 302
    assert pauses.global_pause() is not None and pauses.read_group_pauses() != {}

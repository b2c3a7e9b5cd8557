"""Groups with a limit: at most N jobs of a group claimed or running at once."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due, explanations
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.exceptions import ClaimRefused
from chroniker.lifecycle import Outcome, claim_plan
from chroniker.management import dry_run
from chroniker.models import Group, Job, Lease, Run, Status, installation
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import claim_after_run, tick
from tests.support.admin_pages import open_form, rows, url
from tests.support.factories import a_booked_job, a_dependency, a_due_job, a_job, started, state_of
from tests.support.statements import statements_of_a_tick

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]


@pytest.fixture
def group() -> Group:
    return Group.objects.create(name="reports", limit=2)


def members(group: Group, *minutes: int, **fields: Any) -> list[Job]:
    """Jobs of this group that have been due for these numbers of minutes."""
    return [a_due_job(name=f"{group} {n}", minutes=late, group=group, **fields) for n, late in enumerate(minutes)]


def end(run: Run, status: Status = Status.SUCCEEDED) -> None:
    assert lifecycle.finish(run.pk, run.token, started(run), Outcome(status))


def claimed() -> list[Job]:
    return [run.job for run in tick().claimed]


def test_at_most_the_limit_is_claimed_and_the_longest_waiting_jobs_first(group: Group) -> None:
    jobs = members(group, 3, 9, 1, 6)
    other = a_due_job()
    assert set(claimed()) == {jobs[1], jobs[3], other}
    assert claimed() == []
    end(Run.objects.get(job=jobs[1]))
    assert claimed() == [jobs[0]]


def test_queued_and_running_runs_count_against_the_limit(group: Group) -> None:
    members(group, 1, 1, 1)
    first, _second = tick().claimed
    started(first)
    assert claimed() == []
    assert Lease.objects.count() == 2


def test_the_end_of_a_run_starts_the_next_job_without_a_tick(group: Group) -> None:
    jobs = members(group, 4, 3, 2, 1)
    first, _second = tick().claimed
    end(first)
    assert [run.job for run in claim_after_run(first.job_id).claimed] == [jobs[2]]


def test_the_force_run_flag_stays_set_while_the_group_is_full(group: Group) -> None:
    jobs = [a_booked_job(group=group, cron="0 0 1 1 *") for _ in range(3)]
    Job.objects.filter(group=group).update(force_run=True)
    assert claimed() == jobs[:2]
    assert list(Job.objects.filter(force_run=True)) == [jobs[2]]
    end(Run.objects.get(job=jobs[0]))
    assert claimed() == [jobs[2]]
    assert not Job.objects.filter(force_run=True).exists()


def test_a_retry_waits_while_the_group_is_full(group: Group) -> None:
    job, *others = [a_booked_job(group=group, cron="0 0 1 1 *", max_retries=3, retry_backoff_seconds=0) for _ in "abc"]
    end(run_now(job, "a test"), Status.FAILED)
    holding = [run_now(other, "a test") for other in others]
    assert claimed() == []
    end(holding[0])
    assert claimed() == [job]


def test_a_manual_run_is_refused_while_the_group_is_full(group: Group) -> None:
    jobs = members(group, 2, 1, 1)
    running = tick().claimed
    with pytest.raises(ClaimRefused, match=r"its group “reports” is full \(2 of 2: reports 0, reports 1\)"):
        run_now(jobs[2], "a test")
    end(running[0])
    run_now(jobs[2], "a test")


def test_a_group_that_fills_between_query_and_claim_gets_no_further_run(group: Group) -> None:
    members(group, 4, 3, 2)
    now = database_now()
    plans = [claim_plan.plan_scheduled_run(state, now) for state in due.find_due_jobs(SCHEDULED, now)]
    assert len(lifecycle.claim(plans[2:], now)) == 1
    assert [run.job_id for run in lifecycle.claim(plans[:2], now)] == [plans[0].state.pk]


def test_a_limit_that_is_removed_between_query_and_claim_holds_nothing_back(group: Group) -> None:
    members(group, 4, 3, 2)
    now = database_now()
    plans = [claim_plan.plan_scheduled_run(state, now) for state in due.find_due_jobs(SCHEDULED, now)]
    Group.objects.update(limit=None)
    assert len(lifecycle.claim(plans, now)) == 3


def test_every_page_shows_why_a_job_waits(group: Group, admin: Client) -> None:
    jobs = members(group, 9, 8, 1)
    tick()
    reason = "It is due, but its group “reports” is full (2 of 2: reports 0, reports 1)."
    assert explanations.explanation_texts([state_of(jobs[2])], database_now())[jobs[2].pk] == reason
    assert reason in admin.get("/admin/chroniker/job/").content.decode()


def test_a_dry_run_respects_the_group_limit(group: Group) -> None:
    members(group, 4, 3, 2, 1)
    lines = dry_run.forecast_scheduled_claims(None)
    assert [line.startswith("would claim") for line in lines] == [True, True, False, False]
    assert lines[3] == (
        "would not claim “reports 3”: It is due, but its group “reports” is full (2 of 2: reports 0, reports 1)."
    )


def test_jobs_of_a_full_group_do_not_displace_other_jobs_from_a_batch(group: Group) -> None:
    members(group, 30, 29, 28, 27, 26, 25)
    others = [a_due_job() for _ in range(3)]
    with override_settings(CHRONIKER_BATCH_SIZE=2):
        assert {*claimed(), *claimed()} >= set(others)
    assert Lease.objects.filter(job__group=group).count() == 2


def test_the_backlog_of_a_full_group_is_not_read(group: Group) -> None:
    members(group, 5, 5)
    tick()
    members(Group.objects.create(name="other", limit=1), 5)
    tick()
    for _each in range(5):
        a_due_job(group=group)
    with CaptureQueriesContext(connection) as blocked:
        assert tick().claimed == []
    # New jobs are booked; no plan is made and no row locked for jobs that cannot start.
    assert not [query for query in blocked if "INSERT" in query["sql"]]
    for _each in range(5):
        a_due_job(group=group)
    with CaptureQueriesContext(connection) as more_blocked:
        assert tick().claimed == []
    assert len(more_blocked) == len(blocked)


def statements(jobs: int, group: Group | None) -> int:
    for _each in range(jobs):
        a_due_job(group=group)
    return statements_of_a_tick(jobs)


def test_group_limits_need_three_statements_per_batch_and_none_without_groups() -> None:
    installation.record_database_identity()  # the first tick would
    without = statements(3, None)
    wide = Group.objects.create(name="wide", limit=100)
    assert statements(2, wide) == statements(9, wide) == without + 3
    one = without + 1  # which groups are full: some group has a limit
    assert statements(4, Group.objects.create(name="no limit")) == one


def test_scheduled_times_that_had_to_wait_are_covered_by_one_run(group: Group) -> None:
    job = members(group, 10, 9, 8)[2]
    first, _second = tick().claimed
    end(first)
    later = database_now() + dt.timedelta(minutes=5)
    run = next(run for run in tick(now=later).claimed if run.job_id == job.pk)
    assert run.scheduled_for is not None and run.covered_until is not None
    assert run.covered_until - run.scheduled_for >= dt.timedelta(minutes=12)


def test_skipped_times_do_not_count_against_the_limit() -> None:
    group, now = Group.objects.create(name="one by one", limit=1), database_now()
    once: dict[str, Any] = {"frequency": "ONCE", "cron": "", "run_at": now - dt.timedelta(hours=2), "group": group}
    late = a_booked_job(since=now - dt.timedelta(hours=3), misfire_grace_seconds=60, **once)
    in_time = a_due_job(group=group)
    assert claimed() == [in_time]
    assert Run.objects.get(job=late).status == Status.SKIPPED


def test_a_dependent_in_the_same_group_starts_when_its_dependee_ends() -> None:
    group = Group.objects.create(name="one by one", limit=1)
    first, second = a_due_job(group=group, minutes=3), a_due_job(group=group, minutes=3)
    a_dependency(second, first, wait_for_completion=True, wait_for_next_run=True)
    (run,) = tick().claimed
    end(run)
    assert [run.job for run in claim_after_run(first.pk).claimed] == [second]


def test_a_group_without_a_limit_and_with_a_removed_limit_claims_all(group: Group) -> None:
    members(group, 1, 1, 1, 1, 1)
    assert len(tick().claimed) == 2
    Group.objects.filter(pk=group.pk).update(limit=None)
    assert len(tick().claimed) == 3


def test_the_admin_shows_members_and_runs_and_filters_jobs_by_group(group: Group, admin: Client) -> None:
    jobs = members(group, 1, 1, 1)
    a_job(name="outside")
    tick()
    shown = admin.get("/admin/chroniker/group/").content.decode()
    address = f"/admin/chroniker/job/?group={group.name}"
    assert f'<a href="{address}">3</a>' in shown
    assert "Full" in shown
    assert set(rows(admin, address)) == set(jobs)


def test_a_group_is_created_and_assigned_to_a_job_in_the_admin(admin: Client) -> None:
    assert admin.post(reverse("admin:chroniker_group_add"), {"name": "reports", "limit": "0"}).status_code == 200
    assert admin.post(reverse("admin:chroniker_group_add"), {"name": "reports", "limit": "3"}).status_code == 302
    group, job = Group.objects.get(), a_booked_job()
    assert (group.name, group.limit) == ("reports", 3)
    assert admin.post(url(job), {**open_form(admin, job), "group": str(group.pk)}).status_code == 302
    job.refresh_from_db()
    assert job.group == group
    assert admin.get(reverse("admin:chroniker_group_change", args=[group.pk])).status_code == 200
    admin.post(reverse("admin:chroniker_group_delete", args=[group.pk]), {"post": "yes"})
    job.refresh_from_db()
    assert job.group is None


def test_the_list_of_groups_needs_a_constant_number_of_statements(admin: Client) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            admin.get("/admin/chroniker/group/")
        return len(queries)

    members(Group.objects.create(name="0", limit=1), 1)
    count()
    before = count()
    for number in range(1, 9):
        members(Group.objects.create(name=str(number), limit=1), 1)
    assert count() == before

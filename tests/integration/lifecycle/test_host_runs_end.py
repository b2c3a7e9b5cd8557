"""The runs of a job on every host end: the last child closes the parent."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations, hosts
from chroniker.lifecycle import Outcome
from chroniker.models import EVERY_HOST, EventKind, Job, JobState, Lease, Run, RunEvent, Status, Trigger
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.stopping import stop_run
from chroniker.scheduler.tick import claim_after_run, expire_runs, tick
from tests.integration.lifecycle.child_runs import NAMES, a_parent_with_children, begin, end, host_dies
from tests.integration.lifecycle.steps import reread
from tests.support.factories import a_booked_job, a_dependency, a_due_job, state_of

pytestmark = pytest.mark.usefixtures("live_hosts")

MINUTE = dt.timedelta(minutes=1)


def test_the_last_child_closes_the_parent_and_only_the_parent_counts() -> None:
    parent, children = a_parent_with_children()
    for child in children[:-1]:
        end(child)
        assert reread(parent).status == Status.RUNNING
        assert state_of(parent.job).last_status == ""
    held = Lease.objects.get(run=parent)
    assert (held.total_parts, held.total_parts_complete) == (3, 2)
    end(children[-1])
    closed = reread(parent)
    assert (closed.status, closed.reason) == (Status.SUCCEEDED, "")
    assert (closed.total_parts, closed.total_parts_complete) == (3, 3)
    assert not Lease.objects.filter(job=parent.job_id).exists()
    assert state_of(parent.job).last_status == Status.SUCCEEDED


def test_the_reason_of_a_failure_names_the_hosts_without_success() -> None:
    parent, (first, second, third) = a_parent_with_children()
    end(first, Status.FAILED)
    end(second)
    end(third, Status.TIMED_OUT)
    closed = reread(parent)
    assert closed.status == Status.FAILED
    assert "1 of 3" in closed.reason
    assert "web1: failed" in closed.reason and "web3: timed out" in closed.reason and "web2" not in closed.reason
    assert state_of(parent.job).last_status == Status.FAILED


def test_a_child_of_a_dead_host_is_lost_and_named_and_the_parent_is_closed() -> None:
    parent, (first, second, third) = a_parent_with_children()
    end(first)
    begin(third)
    host_dies("web2")
    host_dies("web3")  # has begun: its lease decides
    assert [run.pk for run in expire_runs()] == [second.pk]
    lost = reread(second)
    assert lost.status == Status.LOST and "“web2”" in lost.reason
    assert reread(parent).status == Status.RUNNING
    Lease.objects.filter(run=third).update(expires_at=database_now() - 10 * MINUTE)
    assert {run.pk for run in expire_runs()} == {third.pk, parent.pk}
    closed = reread(parent)
    assert closed.status == Status.FAILED
    assert "web2: lost" in closed.reason and "web3: lost" in closed.reason


def test_a_child_that_starts_after_the_query_for_dead_hosts_is_not_lost() -> None:
    """Its host was found dead, and comes back before the run is closed."""
    _parent, (first, *_others) = a_parent_with_children()
    host_dies("web1")
    waiting: list[Run] = []  # the child, from the query until its start

    def start_before_the_next_statement(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if waiting:
            begin(waiting.pop())
        elif "hostservice" in sql:
            waiting.append(first)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(start_before_the_next_statement):
        assert expire_runs() == []
    assert reread(first).status == Status.RUNNING


def test_children_past_their_start_deadline_are_lost_and_the_parent_is_closed() -> None:
    parent, children = a_parent_with_children(start_deadline_seconds=60)
    Lease.objects.filter(job=parent.job_id).update(expires_at=database_now() - 10 * MINUTE)
    assert {run.pk for run in expire_runs()} == {parent.pk, *(child.pk for child in children)}
    assert reread(parent).status == Status.FAILED
    assert "start deadline" in reread(children[0]).reason
    assert not Lease.objects.filter(job=parent.job_id).exists()


def test_a_parent_is_never_lost_while_a_child_is_open() -> None:
    parent, (first, *others) = a_parent_with_children(start_deadline_seconds=60)
    nonce = begin(first)
    for child in others:
        end(child)
    Lease.objects.filter(run=parent).update(expires_at=database_now() - 10 * MINUTE)
    assert expire_runs() == []
    assert reread(parent).status == Status.RUNNING
    assert Lease.objects.get(run=parent).expires_at > database_now()
    assert lifecycle.finish(first.pk, first.token, nonce, Outcome(Status.SUCCEEDED))
    assert reread(parent).status == Status.SUCCEEDED


def test_a_parent_whose_children_were_deleted_still_ends() -> None:
    parent, _children = a_parent_with_children()
    other, _children = a_parent_with_children()
    Run.objects.filter(parent__in=[parent, other]).delete()
    Lease.objects.filter(run=parent).update(expires_at=database_now() - 10 * MINUTE)
    assert [run.pk for run in expire_runs()] == [parent.pk]
    assert reread(parent).status == Status.FAILED
    assert reread(other).status == Status.RUNNING and Lease.objects.filter(run=other).exists(), "it is valid"


def test_stopping_the_parent_stops_all_its_children() -> None:
    parent, (first, second, third) = a_parent_with_children(max_retries=3)
    nonce = begin(first)
    end(second)
    assert stop_run(parent.pk, "ann")
    assert reread(third).status == Status.STOPPED
    assert (reread(first).status, reread(first).stop_requested_by) == (Status.RUNNING, "ann")
    assert reread(parent).status == Status.RUNNING
    assert lifecycle.renew(first.pk, first.token, nonce).stop_requested_by == "ann"
    assert lifecycle.finish(first.pk, first.token, nonce, Outcome(Status.STOPPED))
    assert reread(parent).status == Status.STOPPED
    assert state_of(parent.job).retry_at is None
    assert RunEvent.objects.filter(kind=EventKind.STOP_REQUESTED).count() == 1


def test_stopping_a_parent_without_started_children_ends_it_at_once() -> None:
    parent, children = a_parent_with_children()
    Job.objects.filter(pk=parent.job_id).update(force_stop=True)
    tick()
    assert {reread(run).status for run in (parent, *children)} == {Status.STOPPED}


def test_the_run_on_one_host_can_be_stopped_alone() -> None:
    parent, (first, *others) = a_parent_with_children()
    stop_run(first.pk, "ann")
    for child in others:
        end(child)
    closed = reread(parent)
    assert closed.status == Status.FAILED and "web1: stopped" in closed.reason


def test_dependents_wait_for_the_parent_and_are_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = run_now(a_booked_job(hostname=EVERY_HOST, cron="0 0 1 1 *"), requested_by="a test")
    children = list(parent.children.all())
    dependent = a_due_job()
    a_dependency(dependent, parent.job, wait_for_completion=True, wait_for_success=True)
    (reason,) = explanations.explanation_texts([state_of(dependent)], database_now()).values()
    assert "to end on every host" in reason
    with monkeypatch.context() as patch:
        patch.setattr(
            "chroniker.scheduler.tick.claim_due_jobs",
            lambda *args: pytest.fail("considered before the last host reported"),
        )
        for child in children[:-1]:
            end(child)
            claim_after_run(parent.job_id)
    end(children[-1])
    assert [run.job_id for run in claim_after_run(parent.job_id).claimed] == [dependent.pk]


@pytest.mark.parametrize(
    ("policy", "ending", "retried"),
    [
        ({"max_retries": 1}, Status.FAILED, True),
        ({"max_retries": 1}, None, False),
        ({"retry_on_lost": True}, None, True),
        ({"retry_on_lost": True}, Status.FAILED, False),
    ],
)
def test_a_retry_repeats_all_hosts_and_follows_the_worst_child_status(
    policy: dict[str, Any], ending: Status | None, retried: bool
) -> None:
    """``None``: the child is lost."""
    parent, (first, *others) = a_parent_with_children(**policy)
    for child in others:
        end(child)
    if ending is None:
        host_dies("web1")
        expire_runs()
        hosts.record_heartbeat(["default"], host_name="web1")
    else:
        end(first, ending)
    assert reread(parent).status == Status.FAILED
    again = state_of(parent.job).retry_at
    assert (again is not None) is retried
    if again is not None:
        JobState.objects.filter(pk=parent.job_id).update(next_run=None, next_instant=None)
        runs = tick(now=again, only=[parent.job_id]).claimed
        assert [(run.trigger, run.attempt, run.required_host) for run in runs] == [
            (Trigger.RETRY, 2, required_host) for required_host in (EVERY_HOST, *NAMES)
        ]


def test_a_late_report_of_a_child_changes_neither_child_nor_parent() -> None:
    parent, (first, *others) = a_parent_with_children()
    nonce = begin(first)
    for child in others:
        end(child)
    Lease.objects.filter(run=first).update(expires_at=database_now() - 10 * MINUTE)
    expire_runs()
    assert not lifecycle.finish(first.pk, first.token, nonce, Outcome(Status.SUCCEEDED))
    assert (reread(first).status, reread(parent).status) == (Status.LOST, Status.FAILED)


def test_closing_needs_the_same_number_of_statements_for_any_number_of_hosts() -> None:
    def statements() -> int:
        parent, children = a_parent_with_children()
        Lease.objects.filter(job=parent.job_id).update(expires_at=database_now() - 10 * MINUTE)
        with CaptureQueriesContext(connection) as queries:
            assert len(expire_runs()) == len(children) + 1
        return len(queries)

    few = statements()
    for number in range(10):
        hosts.record_heartbeat(["default"], host_name=f"more{number}")
    assert statements() == few


def test_the_reason_counts_the_hosts_that_have_reported() -> None:
    parent, (first, *_others) = a_parent_with_children()
    state = JobState.objects.select_related("job").get(job=parent.job_id)
    assert "results received: 0 of 3." in str(explanations.reason_job_cannot_run_now(state))
    end(first)
    assert "results received: 1 of 3." in str(explanations.reason_job_cannot_run_now(state))


def test_a_failure_on_one_host_holds_the_job() -> None:
    parent, (first, second, third) = a_parent_with_children(hold_on_failure=True)
    end(first)
    end(second, Status.FAILED)
    assert state_of(parent.job).held_at is None, "a host still runs"
    end(third)
    assert state_of(parent.job).held_by_run == parent.token

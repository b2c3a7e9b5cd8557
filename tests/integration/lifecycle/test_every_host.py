"""Jobs that run on every live host: one parent run per scheduled time, one child run per host."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations, hosts
from chroniker.exceptions import ClaimRefused
from chroniker.executors.dummy import DummyExecutor
from chroniker.lifecycle import Outcome
from chroniker.models import (
    EVERY_HOST,
    CatchUp,
    EventKind,
    HostService,
    Job,
    JobState,
    Lease,
    Run,
    RunEvent,
    Status,
    Trigger,
)
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.stopping import stop
from chroniker.scheduler.tick import claim_after_run, expire, tick
from tests.support.factories import a_booked_job, a_dependency, a_due_job, state_of

MINUTE = dt.timedelta(minutes=1)
NAMES = ["web1", "web2", "web3"]


@pytest.fixture(autouse=True)
def live_hosts(dummy: DummyExecutor) -> None:
    for name in NAMES:
        hosts.record_heartbeat(["default"], name=name)
    hosts.record_heartbeat(name="only ticks")


def a_parent_with_children(**fields: Any) -> tuple[Run, list[Run]]:
    """The parent and its children, by the name of their host."""
    job = a_due_job(hostname=EVERY_HOST, **fields)
    parent, *children = [run for run in tick().claimed if run.job_id == job.pk]
    return parent, children


def begin(run: Run) -> Any:
    nonce = uuid4()
    assert lifecycle.start(run.pk, run.token, nonce, host=run.required_host, pid=1) is not None
    return nonce


def end(run: Run, status: Status = Status.SUCCEEDED) -> None:
    assert lifecycle.finish(run.pk, run.token, begin(run), Outcome(status))


def reread(run: Run) -> Run:
    return Run.objects.select_related("job").get(pk=run.pk)


def host_dies(name: str) -> None:
    HostService.objects.filter(host__name=name).update(last_seen=database_now() - dt.timedelta(seconds=151))


def test_a_claim_creates_a_child_for_each_live_host_that_executes_runs() -> None:
    parent, children = a_parent_with_children()
    assert (parent.status, parent.required_host, parent.slot, parent.parent_id) == (
        Status.RUNNING,
        EVERY_HOST,
        "",
        None,
    )
    assert parent.scheduled_for is not None
    assert [child.required_host for child in children] == NAMES
    assert {(child.status, child.parent_id, child.scheduled_for) for child in children} == {
        (Status.CLAIMED, parent.pk, None)
    }
    assert [child.token for child in children] == [parent.token + number for number in (1, 2, 3)]
    assert state_of(parent.job).last_token == parent.token + 3
    slots = Lease.objects.filter(job=parent.job_id).values_list("slot", flat=True)
    assert sorted(slots) == sorted(["", *(child.slot for child in children)]) and len(set(slots)) == 4


def test_only_child_runs_are_dispatched(dummy: DummyExecutor) -> None:
    _parent, children = a_parent_with_children()
    assert {run.pk for run in dummy.dispatched} == {child.pk for child in children}
    assert tick(now=database_now() + 2 * MINUTE, only=[]).dispatched == 3


def test_the_parent_run_cannot_be_started() -> None:
    parent, _children = a_parent_with_children()
    assert lifecycle.start(parent.pk, parent.token, uuid4(), host="web1", pid=1) is None
    assert lifecycle.start(parent.pk, parent.token, uuid4(), host="", pid=1) is None


def test_each_host_starts_only_its_own_child_run() -> None:
    _parent, (first, second, _third) = a_parent_with_children()
    assert lifecycle.start(first.pk, first.token, uuid4(), host=second.required_host, pid=1) is None
    begin(first)
    begin(second)


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
    assert (closed.status, closed.reason, closed.total_parts_complete) == (Status.SUCCEEDED, "", 3)
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


def test_the_next_scheduled_time_waits_for_all_child_runs() -> None:
    parent, children = a_parent_with_children()
    later = database_now() + 2 * MINUTE
    end(children[0])
    assert tick(now=later, only=[parent.job_id]).claimed == []
    for child in children[1:]:
        end(child)
    assert len(tick(now=later, only=[parent.job_id]).claimed) == 4


def test_without_a_live_host_the_scheduled_time_is_skipped_with_the_reason() -> None:
    for name in NAMES:
        host_dies(name)
    job = a_due_job(hostname=EVERY_HOST)
    assert tick().claimed == []
    run = Run.objects.get(job=job)
    assert (run.status, run.covered_until) == (Status.SKIPPED, state_of(job).covered_until)
    assert "No live host" in run.reason
    assert not Lease.objects.filter(job=job).exists()
    with pytest.raises(ClaimRefused, match="No live host"):
        run_now(job, by="a test")


def test_a_host_that_serves_another_executor_gets_no_child_run() -> None:
    hosts.record_heartbeat(["other"], name="elsewhere")
    _parent, children = a_parent_with_children()
    assert "elsewhere" not in [child.required_host for child in children]


def test_a_child_of_a_dead_host_is_lost_and_named_and_the_parent_is_closed() -> None:
    parent, (first, second, third) = a_parent_with_children()
    end(first)
    begin(third)
    host_dies("web2")
    host_dies("web3")  # has begun: its lease decides
    assert [run.pk for run in expire()] == [second.pk]
    lost = reread(second)
    assert lost.status == Status.LOST and "“web2”" in lost.reason
    assert reread(parent).status == Status.RUNNING
    Lease.objects.filter(run=third).update(expires_at=database_now() - 10 * MINUTE)
    assert {run.pk for run in expire()} == {third.pk, parent.pk}
    closed = reread(parent)
    assert closed.status == Status.FAILED
    assert "web2: lost" in closed.reason and "web3: lost" in closed.reason


def test_children_past_their_start_deadline_are_lost_and_the_parent_is_closed() -> None:
    parent, children = a_parent_with_children(start_deadline_seconds=60)
    Lease.objects.filter(job=parent.job_id).update(expires_at=database_now() - 10 * MINUTE)
    assert {run.pk for run in expire()} == {parent.pk, *(child.pk for child in children)}
    assert reread(parent).status == Status.FAILED
    assert "start deadline" in reread(children[0]).reason
    assert not Lease.objects.filter(job=parent.job_id).exists()


def test_a_parent_is_never_lost_while_a_child_is_open() -> None:
    parent, (first, *others) = a_parent_with_children(start_deadline_seconds=60)
    nonce = begin(first)
    for child in others:
        end(child)
    Lease.objects.filter(run=parent).update(expires_at=database_now() - 10 * MINUTE)
    assert expire() == []
    assert reread(parent).status == Status.RUNNING
    assert Lease.objects.get(run=parent).expires_at > database_now()
    assert lifecycle.finish(first.pk, first.token, nonce, Outcome(Status.SUCCEEDED))
    assert reread(parent).status == Status.SUCCEEDED


def test_a_parent_whose_children_were_deleted_still_ends() -> None:
    parent, children = a_parent_with_children()
    Run.objects.filter(pk__in=[child.pk for child in children]).delete()
    Lease.objects.filter(run=parent).update(expires_at=database_now() - 10 * MINUTE)
    assert [run.pk for run in expire()] == [parent.pk]
    assert reread(parent).status == Status.FAILED


def test_stopping_the_parent_stops_all_its_children() -> None:
    parent, (first, second, third) = a_parent_with_children(max_retries=3)
    nonce = begin(first)
    end(second)
    assert stop(parent.pk, "ann")
    assert reread(third).status == Status.STOPPED
    assert (reread(first).status, reread(first).stop_requested_by) == (Status.RUNNING, "ann")
    assert reread(parent).status == Status.RUNNING
    assert lifecycle.renew(first.pk, first.token, nonce).stop == "ann"
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
    stop(first.pk, "ann")
    for child in others:
        end(child)
    closed = reread(parent)
    assert closed.status == Status.FAILED and "web1: stopped" in closed.reason


def test_dependents_wait_for_the_parent_and_are_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = run_now(a_booked_job(hostname=EVERY_HOST, cron="0 0 1 1 *"), by="a test")
    children = list(parent.children.all())
    dependent = a_due_job()
    a_dependency(dependent, parent.job, wait_for_completion=True, wait_for_success=True)
    (reason,) = explanations.why_not([state_of(dependent)], database_now()).values()
    assert "to end on every host" in reason
    with monkeypatch.context() as patch:
        patch.setattr(
            "chroniker.scheduler.tick.claim_due",
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
        expire()
        hosts.record_heartbeat(["default"], name="web1")
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


def test_run_now_and_the_force_run_flag_start_the_job_on_every_host() -> None:
    job = a_booked_job(hostname=EVERY_HOST, cron="0 0 1 1 *")
    parent = run_now(job, by="a test", args="--verbosity 2")
    children = list(parent.children.all())
    assert (parent.required_host, len(children)) == (EVERY_HOST, 3)
    assert {child.args for child in children} == {"--verbosity 2"}
    for child in children:
        end(child)
    Job.objects.filter(pk=job.pk).update(force_run=True)
    assert len(tick().claimed) == 4


def test_a_late_report_of_a_child_changes_neither_child_nor_parent() -> None:
    parent, (first, *others) = a_parent_with_children()
    nonce = begin(first)
    for child in others:
        end(child)
    Lease.objects.filter(run=first).update(expires_at=database_now() - 10 * MINUTE)
    expire()
    assert not lifecycle.finish(first.pk, first.token, nonce, Outcome(Status.SUCCEEDED))
    assert (reread(first).status, reread(parent).status) == (Status.LOST, Status.FAILED)


def test_a_claim_needs_the_same_number_of_statements_for_any_number_of_jobs_and_hosts() -> None:
    def statements(jobs: int) -> int:
        for _each in range(jobs):
            a_due_job(hostname=EVERY_HOST)
        with CaptureQueriesContext(connection) as queries:
            tick()
        return len(queries)

    statements(1)  # now there are open child runs, which a tick has to check
    few = statements(2)
    for number in range(2):
        hosts.record_heartbeat(["default"], name=f"more{number}")
    assert statements(3) == few, "18 rows: of more than these SQLite takes only so many a statement"


def test_closing_needs_the_same_number_of_statements_for_any_number_of_hosts() -> None:
    def statements() -> int:
        parent, children = a_parent_with_children()
        Lease.objects.filter(job=parent.job_id).update(expires_at=database_now() - 10 * MINUTE)
        with CaptureQueriesContext(connection) as queries:
            assert len(expire()) == len(children) + 1
        return len(queries)

    few = statements()
    for number in range(10):
        hosts.record_heartbeat(["default"], name=f"more{number}")
    assert statements() == few


@pytest.mark.parametrize(("seconds", "live"), [(149, True), (151, False)])
def test_a_host_is_live_until_the_timeout(seconds: int, live: bool) -> None:
    HostService.objects.filter(host__name="web1").update(last_seen=database_now() - dt.timedelta(seconds=seconds))
    assert ("web1" in {host.name for host in hosts.live_hosts(["default"])["default"]}) is live
    with override_settings(CHRONIKER_HOST_TIMEOUT=100):
        assert "web1" not in {host.name for host in hosts.live_hosts(["default"])["default"]}


def test_a_required_host_that_is_not_live_is_reported() -> None:
    named, every = a_booked_job(hostname="web9"), a_booked_job(hostname=EVERY_HOST)
    states = [state_of(named), state_of(every)]
    reasons = explanations.why_not(states, database_now())
    assert "“web9” is not live" in reasons[named.pk]
    assert "not live" not in reasons[every.pk].lower()
    for name in NAMES:
        host_dies(name)
    assert "No live host" in explanations.why_not(states, database_now())[every.pk]
    waiting = run_now(named, by="a test")
    assert waiting.required_host == "web9"
    assert "“web9” is not live" in explanations.why_not([state_of(named)], database_now())[named.pk]


def test_the_reason_counts_the_hosts_that_have_reported() -> None:
    parent, (first, *_others) = a_parent_with_children()
    end(first)
    state = JobState.objects.select_related("job").get(job=parent.job_id)
    assert "1 of 3 have reported" in str(explanations.reason_cannot_run_now(state))


def test_each_child_is_for_the_scheduled_times_of_its_parent() -> None:
    parent, children = a_parent_with_children(minutes=3)
    for name in ("instant", "instant_until", "interval_start", "origin", "chain"):
        assert {getattr(reread(child), name) for child in children} == {getattr(reread(parent), name)}, name
    assert parent.instant is not None and parent.interval_start is not None


def test_a_run_for_another_time_is_for_that_time_on_each_host() -> None:
    asked = dt.datetime(2026, 3, 29, 3, tzinfo=dt.UTC)
    job = a_booked_job(hostname=EVERY_HOST, cron="0 3 * * *")
    run_now(job, "ann", instant=asked)
    assert set(Run.objects.filter(job=job).values_list("instant", flat=True)) == {asked}


def test_one_run_for_each_runs_on_every_host_for_one_scheduled_time_after_the_other() -> None:
    job = a_due_job(hostname=EVERY_HOST, minutes=2, catch_up=CatchUp.EACH, misfire_grace_seconds=86_400)
    for _each in range(2):
        parent, *children = tick().claimed
        assert parent.scheduled_for == parent.covered_until and len(children) == 3
        assert tick().claimed == []
        for child in children:
            end(child)
    first, second = Run.objects.filter(job=job, parent=None).order_by("token")
    assert first.scheduled_for is not None and second.scheduled_for == first.scheduled_for + MINUTE


def test_a_failure_on_one_host_holds_the_job() -> None:
    parent, (first, second, third) = a_parent_with_children(hold_on_failure=True)
    end(first)
    end(second, Status.FAILED)
    assert state_of(parent.job).held_at is None, "a host still runs"
    end(third)
    assert state_of(parent.job).held_by_run == parent.token

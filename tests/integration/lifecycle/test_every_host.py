"""Jobs that run on every live host: one parent run per scheduled time, one child run per host."""

from __future__ import annotations

import datetime as dt
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
from chroniker.models import EVERY_HOST, CatchUp, HostService, Job, Lease, Run, Status
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.child_runs import NAMES, a_parent_with_children, begin, end, host_dies
from tests.integration.lifecycle.steps import reread
from tests.support.factories import a_booked_job, a_due_job, state_of

pytestmark = pytest.mark.usefixtures("live_hosts")

MINUTE = dt.timedelta(minutes=1)


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
    assert tick(now=database_now() + 2 * MINUTE, only=[]).dispatched_run_count == 3


def test_the_parent_run_cannot_be_started() -> None:
    parent, _children = a_parent_with_children()
    assert lifecycle.start(parent.pk, parent.token, uuid4(), host="web1", pid=1) is None
    assert lifecycle.start(parent.pk, parent.token, uuid4(), host="", pid=1) is None


def test_each_host_starts_only_its_own_child_run() -> None:
    _parent, (first, second, _third) = a_parent_with_children()
    assert lifecycle.start(first.pk, first.token, uuid4(), host=second.required_host, pid=1) is None
    begin(first)
    begin(second)


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
    assert (run.attempt, run.chain, run.argv, state_of(job).n_skipped) == (0, None, None, 1)
    assert "No live host" in run.reason
    assert not Lease.objects.filter(job=job).exists()
    with pytest.raises(ClaimRefused, match="No live host"):
        run_now(job, requested_by="a test")


def test_a_host_that_serves_another_executor_gets_no_child_run() -> None:
    hosts.record_heartbeat(["other"], host_name="elsewhere")
    _parent, children = a_parent_with_children()
    assert "elsewhere" not in [child.required_host for child in children]


def test_run_now_and_the_force_run_flag_start_the_job_on_every_host() -> None:
    job = a_booked_job(hostname=EVERY_HOST, cron="0 0 1 1 *")
    parent = run_now(job, requested_by="a test", args="--verbosity 2")
    children = list(parent.children.all())
    assert (parent.required_host, len(children)) == (EVERY_HOST, 3)
    assert {child.args for child in children} == {"--verbosity 2"}
    for child in children:
        end(child)
    Job.objects.filter(pk=job.pk).update(force_run=True)
    assert len(tick().claimed) == 4


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
        hosts.record_heartbeat(["default"], host_name=f"more{number}")
    assert statements(3) == few, "18 rows: of more than these SQLite takes only so many a statement"


@pytest.mark.parametrize(("seconds", "live"), [(149, True), (151, False)])
def test_a_host_is_live_until_the_timeout(seconds: int, live: bool) -> None:
    HostService.objects.filter(host__name="web1").update(last_seen=database_now() - dt.timedelta(seconds=seconds))
    assert ("web1" in {host.name for host in hosts.live_hosts_by_executor(["default"])["default"]}) is live
    with override_settings(CHRONIKER_HOST_TIMEOUT=100):
        assert "web1" not in {host.name for host in hosts.live_hosts_by_executor(["default"])["default"]}


def test_a_required_host_that_is_not_live_is_reported() -> None:
    named, every = a_booked_job(hostname="web9"), a_booked_job(hostname=EVERY_HOST)
    states = [state_of(named), state_of(every)]
    reasons = explanations.explanation_texts(states, database_now())
    assert "“web9” is not live" in reasons[named.pk]
    assert "not live" not in reasons[every.pk].lower()
    for name in NAMES:
        host_dies(name)
    assert "No live host" in explanations.explanation_texts(states, database_now())[every.pk]
    waiting = run_now(named, requested_by="a test")
    assert waiting.required_host == "web9"
    assert "“web9” is not live" in explanations.explanation_texts([state_of(named)], database_now())[named.pk]


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

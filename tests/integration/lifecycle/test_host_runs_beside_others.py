"""What happens on one host, or to one run on every host, leaves the other runs and their leases as they are."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts
from chroniker.lifecycle.host_runs import MAX_HOSTS_IN_REASON, compute_parent_outcome
from chroniker.models import EVERY_HOST, HostService, Lease, Outbox, Run, RunHour, Status
from chroniker.scheduler.tick import expire_runs, tick
from tests.integration.lifecycle.child_runs import NAMES, a_parent_with_children, begin, end, host_dies
from tests.support.ended_runs import a_subscriber
from tests.support.factories import a_due_job

pytestmark = pytest.mark.usefixtures("live_hosts")

MINUTE = dt.timedelta(minutes=1)


def test_a_child_is_lost_if_its_host_no_longer_serves_its_executor() -> None:
    _parent, (first, *_others) = a_parent_with_children()
    host_dies("web1")
    hosts.record_heartbeat(["other"], host_name="web1")
    assert HostService.objects.filter(host__name="web1").count() == 2
    assert [run.pk for run in expire_runs()] == [first.pk]


def test_the_end_on_one_host_leaves_the_progress_on_another() -> None:
    _parent, (first, second, _third) = a_parent_with_children()
    assert lifecycle.renew(second.pk, second.token, begin(second), (10, 4)).held
    end(first)
    lease = Lease.objects.get(run=second)
    assert (lease.total_parts, lease.total_parts_complete) == (10, 4)


def test_only_the_lease_of_the_parent_that_waits_is_extended() -> None:
    parent, (first, *_others) = a_parent_with_children()
    begin(first)
    others = Lease.objects.exclude(run=parent).order_by("run").values_list("run", "expires_at")
    before = list(others)
    Lease.objects.filter(run=parent).update(expires_at=database_now() - 10 * MINUTE)
    assert expire_runs() == []
    assert list(others.all()) == before


def test_a_parent_that_has_ended_is_added_to_the_counts_of_its_hour() -> None:
    parent, children = a_parent_with_children()
    for child in children:
        end(child)
    assert lifecycle.add_closed_runs_to_counters() == 4
    assert RunHour.objects.get(job=parent.job_id).succeeded == 1


def test_subscribers_get_a_message_about_a_scheduled_time_without_a_live_host() -> None:
    for name in NAMES:
        host_dies(name)
    job = a_due_job(hostname=EVERY_HOST)
    job.subscribers.add(a_subscriber())
    tick()
    [message] = Outbox.objects.all()
    assert (message.run, message.event) == (Run.objects.get(job=job), "run.missed")


@pytest.mark.parametrize(("more", "ending"), [(0, "."), (3, " and 3 more.")])
def test_a_reason_names_the_first_hosts_and_counts_the_others(more: int, ending: str) -> None:
    children = [Run(required_host=f"web{n:02}", status=Status.FAILED) for n in range(MAX_HOSTS_IN_REASON + more)]
    status, because = compute_parent_outcome(Run(), [*children, Run(status=Status.SUCCEEDED)])
    text = str(because)
    assert status == Status.FAILED and f"1 of {MAX_HOSTS_IN_REASON + more + 1} hosts" in text
    assert "web19: failed" in text and "web20" not in text
    assert text.endswith(ending) and (" more" in text) == bool(more)

"""What the database says of the drain of a host: since when, by whom, and for which runs it waits."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings

from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import draining, hosts
from chroniker.models import Host, Run, Status
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db


def here() -> Host:
    return Host.objects.get(name=settings.hostname)


def test_a_host_that_was_never_seen_can_be_drained() -> None:
    assert draining.record_drain_of_this_host("ann") == []
    assert here().draining_since is not None and here().draining_by == "ann"


def test_a_drain_concerns_this_host_alone_and_a_second_request_changes_nothing() -> None:
    hosts.record_heartbeat([hosts.WorkerReport("default", "w", ["fast"])])
    hosts.record_heartbeat(host_name="another")
    draining.record_drain_of_this_host("ann" + 200 * "!")
    first = here()
    assert (first.draining_by, first.draining_workers) == ("ann" + 147 * "!", [["default", "w", ["fast"]]])
    assert Host.objects.get(name="another").draining_since is None
    hosts.record_worker_shutdowns([hosts.WorkerReport("default", "w")])
    assert draining.record_drain_of_this_host("bob") == []
    again = here()
    assert (again.draining_since, again.draining_by) == (first.draining_since, first.draining_by)
    assert again.draining_workers == first.draining_workers


def test_the_end_of_a_drain_leaves_no_trace_and_ends_no_other() -> None:
    with override_settings(CHRONIKER_HOSTNAME="another"):
        draining.record_drain_of_this_host("bob")
    hosts.record_heartbeat([hosts.WorkerReport("default", "w", ["fast"])])
    assert draining.record_end_of_drain_of_this_host() is None, "this host is not draining"
    draining.record_drain_of_this_host("ann")
    assert draining.record_end_of_drain_of_this_host() == [("default", "w", ["fast"])]
    row = here()
    assert (row.draining_since, row.draining_by, row.draining_workers) == (None, "", [])
    assert draining.record_end_of_drain_of_this_host() is None
    assert [host.name for host in Host.objects.exclude(draining_since=None)] == ["another"]


def test_the_hosts_that_are_draining_are_named_in_the_order_of_their_names() -> None:
    hosts.record_heartbeat(host_name="web0")
    for name in ("web2", "web1"):
        with override_settings(CHRONIKER_HOSTNAME=name):
            draining.record_drain_of_this_host("ann")
    first, second = draining.drain_messages()
    assert first.startswith("The host “web1” has been draining since ")
    assert first.endswith(", at the request of ann: it claims and starts no runs.")
    assert second.startswith("The host “web2” ")


def test_a_drain_waits_for_the_running_runs_of_its_host_but_not_for_a_run_on_every_host() -> None:
    job, now = a_job(), database_now()

    def a_run(token: int, status: Status, host: str = "", **fields: Any) -> Run:
        claimed_at = now - dt.timedelta(minutes=token)
        started_at = None if status == Status.CLAIMED else now
        finished_at = None if status in {Status.CLAIMED, Status.RUNNING} else now
        fields["nonce"] = uuid4()
        times = {"claimed_at": claimed_at, "started_at": started_at, "finished_at": finished_at}
        return Run.objects.create(job=job, token=token, status=status, host=host, **times, **fields)

    claimed, running, elsewhere = (
        a_run(1, Status.CLAIMED), a_run(2, Status.RUNNING, "web1"), a_run(3, Status.RUNNING, "web2"),
    )  # fmt: skip
    a_run(4, Status.SUCCEEDED, "web1")
    parent = a_run(5, Status.RUNNING, "web1")
    child = a_run(6, Status.RUNNING, "web1", slot="1", parent=parent)
    assert list(draining.open_runs_on_host("web1")) == [child, running]
    assert list(draining.open_runs_on_host()) == [child, elsewhere, running, claimed]

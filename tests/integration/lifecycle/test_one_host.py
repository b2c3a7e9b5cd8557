"""Jobs with a required host: which host claims, dispatches and starts their runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.executors import executors
from chroniker.models import EventKind, Run, RunEvent, Status
from chroniker.scheduler import dispatch
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.pending_work_queries import next_due_time
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, a_due_job, a_job, started
from tests.support.statements import statements_of_a_tick

MINUTES = dt.timedelta(minutes=1)
INLINE = {"default": {"BACKEND": "chroniker.executors.inline.InlineExecutor"}}


@contextmanager
def on(host: str) -> Iterator[None]:
    """Use this host name in this process, which executes the runs that it dispatches."""
    with override_settings(CHRONIKER_HOSTNAME=host, CHRONIKER_EXECUTORS=INLINE):
        yield
    executors.close()


def test_a_claim_has_the_host_of_its_job() -> None:
    a_due_job(hostname="web1")
    (run,) = tick().claimed
    assert run.required_host == "web1"
    assert run_now(a_booked_job(), requested_by="a test").required_host == ""


def test_only_the_required_host_starts_a_run_and_other_hosts_record_a_refusal() -> None:
    run = run_now(a_booked_job(hostname="web1"), requested_by="a test")
    assert lifecycle.start(run.pk, run.token, uuid4(), host="web2", pid=1) is None
    event = RunEvent.objects.get(run=run, kind=EventKind.REFUSED_DELIVERY)
    assert "on web2" in event.description and "for the host “web1” only" in event.description
    assert Run.objects.get(pk=run.pk).status == Status.CLAIMED
    started(run, host="web1")


def test_the_tick_of_another_host_claims_a_run_and_leaves_it_to_its_host() -> None:
    a_due_job(hostname="web1")
    with on("web2"):
        (run,) = tick().claimed
    run.refresh_from_db()
    assert (run.status, run.dispatched_at) == (Status.CLAIMED, None)
    assert "“web1”" in run.reason
    with on("web1"):
        assert tick().dispatched_run_count == 1
    run.refresh_from_db()
    assert (run.status, run.host, run.reason) == (Status.SUCCEEDED, "web1", "exit status 0" if run.reason else "")


def test_ticks_of_other_hosts_do_not_change_a_claim_that_waits_for_its_host() -> None:
    run = run_now(a_booked_job(hostname="web1"), requested_by="a test")
    Run.objects.filter(pk=run.pk).update(dispatched_at=None, dispatch_count=0)
    before = Run.objects.values().get(pk=run.pk)
    with on("web2"):
        assert tick(now=database_now() + 5 * MINUTES, only=[]).dispatched_run_count == 0
        assert next_due_time(database_now() + 5 * MINUTES) is None, "it sets no wake time either"
    assert Run.objects.values().get(pk=run.pk) == before


def test_the_required_host_dispatches_a_run_again_when_its_first_process_died() -> None:
    a_due_job(hostname="web1")
    (run,) = tick().claimed  # dispatched, and never started
    with on("web1"):
        assert tick(only=[]).dispatched_run_count == 0
        assert tick(now=database_now() + 2 * MINUTES, only=[]).dispatched_run_count == 1
    assert Run.objects.get(pk=run.pk).status == Status.SUCCEEDED


def test_a_tick_dispatches_a_claim_that_another_host_made_for_it() -> None:
    job = a_due_job(hostname="web1")
    with on("web2"):
        tick()
    with on("web1"):
        assert dispatch.dispatch_claims_that_need_this_host(database_now(), {job.pk}) == 1
    assert Run.objects.get(job=job).host == "web1"


def test_a_job_without_a_required_host_runs_on_any_host() -> None:
    a_due_job()
    with on("web2"):
        (run,) = tick().claimed
    assert Run.objects.get(pk=run.pk).host == "web2"


def test_dispatching_claims_for_this_host_needs_a_constant_number_of_statements() -> None:
    def statements(count: int) -> int:
        for _each in range(count):
            a_due_job(hostname="web1")
        with on("web2"):
            return statements_of_a_tick(count)

    assert statements(12) == statements(2)


@pytest.mark.parametrize("name", ["web1, web2", "web 1", "web?"])
def test_an_invalid_host_name_is_refused_by_the_form(name: str) -> None:
    with pytest.raises(ValidationError, match="is not a host name"):
        a_job(hostname=name).full_clean()

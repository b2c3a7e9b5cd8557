from __future__ import annotations

import datetime as dt
from uuid import uuid4

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import draining
from chroniker.lifecycle import Outcome, one_statement
from chroniker.models import EventKind, Lease, Run, RunEvent, Status, Tag
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.steps import claimed, ended
from tests.integration.lifecycle.triggered_jobs import a_pair
from tests.support.factories import a_due_job, started


@pytest.fixture
def run() -> Run:
    a_due_job()
    (run,) = tick().claimed
    return run


def test_a_start_shortens_the_lease_to_the_renewal_length(run: Run) -> None:
    waiting = Lease.objects.get(pk=run.pk).expires_at
    started(run)
    lease = Lease.objects.get(pk=run.pk)
    assert waiting - database_now() > dt.timedelta(hours=23)
    assert dt.timedelta(seconds=50) < lease.expires_at - database_now() <= dt.timedelta(seconds=60)
    run.refresh_from_db()
    assert (run.status, run.host, run.pid) == (Status.RUNNING, "here", 1)
    assert run.redispatch_at is None


def test_one_row_with_the_columns_of_two_models_is_read_as_two_objects(run: Run) -> None:
    """Only PostgreSQL has statements with such rows."""
    lease, tag = Lease.objects.get(pk=run.pk), Tag(pk=5, name="night")
    values = [getattr(row, field.attname) for row in (lease, tag) for field in row._meta.concrete_fields]
    made = one_statement._make_model_instances(values, Lease, Tag)
    assert made == [lease, tag]
    assert (made[0].expires_at, made[1].name) == (lease.expires_at, "night")


def test_a_second_delivery_is_refused_and_recorded(run: Run) -> None:
    started(run)
    for _delivery in range(4):
        assert lifecycle.start(run.pk, run.token, uuid4(), host="there", pid=2) is None
    assert RunEvent.objects.filter(run=run, kind=EventKind.REFUSED_DELIVERY).count() == 4
    assert Run.objects.get(pk=run.pk).host == "here"


def test_a_refusal_names_the_token_or_else_the_state_of_the_run(run: Run) -> None:
    lifecycle.start(run.pk, run.token + 1, uuid4(), host="there", pid=2)
    started(run)
    lifecycle.start(run.pk, run.token, uuid4(), host="there", pid=3)
    refusals = RunEvent.objects.filter(run=run, kind=EventKind.REFUSED_DELIVERY).order_by("pk")
    assert [refusal.description for refusal in refusals] == [
        f"on there, process 2: the run has token {run.token}, not {run.token + 1}",
        "on there, process 3: the run is “running”",
    ]


def test_repeating_a_start_with_the_same_nonce_gives_the_same_result(run: Run) -> None:
    nonce = started(run)
    again = lifecycle.start(run.pk, run.token, nonce, host="here", pid=1)
    assert again is not None and again.run.pk == run.pk
    assert not RunEvent.objects.filter(run=run, kind=EventKind.REFUSED_DELIVERY).exists()
    assert lifecycle.start(run.pk, run.token + 1, nonce, host="here", pid=1) is None, "no run has this token"


def test_a_repeated_start_of_a_run_that_has_ended_is_refused_while_its_processes_survive(run: Run) -> None:
    nonce = started(run)
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, survivors=("sleep 60",)))
    assert lifecycle.start(run.pk, run.token, nonce, host="here", pid=1) is None


@pytest.mark.every_database
def test_a_start_changes_no_other_run(run: Run) -> None:
    a_due_job()
    (other,) = tick().claimed
    rows = Run.objects.filter(pk=other.pk).values(), Lease.objects.filter(pk=other.pk).values()
    before = [each.get() for each in rows]
    started(run)
    assert [each.get() for each in rows] == before


def test_a_start_names_the_job_whose_run_triggered_it_if_there_is_one(run: Run) -> None:
    source, target = a_pair()
    cause = claimed(source)
    ended(cause)
    causes = [lifecycle.start(each.pk, each.token, uuid4(), host="here", pid=1) for each in (run, claimed(target))]
    assert [each and each.cause_job for each in causes] == [None, source.name]


def test_only_the_process_that_started_a_run_records_another_command_line(run: Run) -> None:
    nonce = started(run)
    lifecycle.record_executed_argv(run.pk, uuid4(), ["other"])
    assert Run.objects.get(pk=run.pk).argv == ["noop"]
    lifecycle.record_executed_argv(run.pk, nonce, ["edited"])
    assert Run.objects.get(pk=run.pk).argv == ["edited"]


def test_nor_does_a_drain_in_between_change_the_result_of_a_repeated_start(run: Run) -> None:
    nonce = started(run)
    draining.record_drain_of_this_host("a test")
    again = lifecycle.start(run.pk, run.token, nonce, host="here", pid=1)
    assert again is not None and again.run.pk == run.pk


def test_a_forged_message_starts_nothing(run: Run) -> None:
    assert lifecycle.start(uuid4(), 1, uuid4(), host="there", pid=2) is None
    assert lifecycle.start(run.pk, run.token + 1, uuid4(), host="there", pid=2) is None
    assert Run.objects.get(pk=run.pk).status == Status.CLAIMED
    assert set(RunEvent.objects.values_list("run", flat=True)) == {run.pk}, "the other is no run"


def test_a_claim_past_its_start_deadline_cannot_be_started(run: Run) -> None:
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - dt.timedelta(milliseconds=10))
    assert lifecycle.start(run.pk, run.token, uuid4(), host="there", pid=2) is None
    assert Run.objects.get(pk=run.pk).status == Status.CLAIMED


def test_a_renewal_extends_the_lease_and_stores_the_progress(run: Run) -> None:
    nonce = started(run)
    soon = database_now() + dt.timedelta(seconds=5)
    Lease.objects.filter(pk=run.pk).update(expires_at=soon)
    assert lifecycle.renew(run.pk, run.token, nonce, (77, 13)).held
    lease = Lease.objects.get(pk=run.pk)
    assert (lease.total_parts, lease.total_parts_complete) == (77, 13)
    assert lease.expires_at > soon


def test_a_renewal_never_extends_an_expired_lease(run: Run) -> None:
    nonce = started(run)
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - dt.timedelta(milliseconds=10))
    assert not lifecycle.renew(run.pk, run.token, nonce).held


def test_a_renewal_by_another_supervisor_changes_nothing(run: Run) -> None:
    nonce = started(run)
    before = Lease.objects.get(pk=run.pk).expires_at
    assert not lifecycle.renew(run.pk, run.token, uuid4()).held
    assert not lifecycle.renew(run.pk, run.token + 1, nonce).held
    assert Lease.objects.get(pk=run.pk).expires_at == before


def test_a_renewal_returns_who_requested_a_stop(run: Run) -> None:
    nonce = started(run)
    lifecycle.request_stop(run.pk, "ann")
    assert lifecycle.renew(run.pk, run.token, nonce).stop_requested_by == "ann"
    assert RunEvent.objects.get(run=run, kind=EventKind.STOP_REQUESTED).text == "ann"

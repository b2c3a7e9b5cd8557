"""Claims and start deadlines when the database clock jumps."""

from __future__ import annotations

import datetime as dt
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.test import override_settings

from chroniker import lifecycle
from chroniker.clock import database_clock, jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due, explanations, hosts
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.exceptions import ClaimRefused
from chroniker.lifecycle import Outcome, claim_plan
from chroniker.models import Alert, Host, Lease, Run, Status
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import claim_after_run, tick
from tests.integration.lifecycle.clock_jumps import Jump, let_a_lease_pass
from tests.support.factories import a_due_job, started, state_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("runtime")]

HOUR = 3600


def test_a_start_detects_the_jump_and_the_claim_is_dispatched_again(jump: Jump) -> None:
    hosts.record_heartbeat()
    a_due_job()
    (run,) = tick().claimed
    jump(HOUR)
    assert lifecycle.start(run.pk, run.token, uuid4(), host="here", pid=1) is None
    assert Host.objects.get(name="here").suspended_until is not None
    run.refresh_from_db()
    assert (run.status, run.nonce) == (Status.CLAIMED, None)
    assert "jumped ahead" in run.reason
    assert run.redispatch_at is not None
    left = (run.redispatch_at - database_now()).total_seconds()
    assert 50 < left < 70
    let_a_lease_pass()
    started(run, "here")
    run.refresh_from_db()
    assert run.reason == ""


def test_after_a_jump_ahead_a_claim_that_could_not_start_gets_a_new_start_deadline(jump: Jump) -> None:
    a_due_job(start_deadline_seconds=600)
    (run,) = tick().claimed
    jump(HOUR)
    tick()
    let_a_lease_pass()
    done = tick()
    assert (done.lost, done.dispatched_run_count) == ([], 1)
    assert 590 < (Lease.objects.get(pk=run.pk).expires_at - database_now()).total_seconds() <= 600


def test_after_a_jump_each_claim_gets_the_start_deadline_of_its_own_job(jump: Jump) -> None:
    for deadline in (86_400, 600, 6000):
        a_due_job(start_deadline_seconds=deadline)
    tick()
    jump(HOUR)
    tick()
    now = database_now()
    for lease in Lease.objects.select_related("job"):
        own = lease.job.start_deadline_seconds
        assert own is not None
        assert own - 10 < (lease.expires_at - now).total_seconds() <= own


@pytest.mark.parametrize("deadline", [None, 600])
def test_after_a_jump_back_claims_get_a_new_start_deadline_and_a_new_message(jump: Jump, deadline: int | None) -> None:
    a_due_job(start_deadline_seconds=deadline)
    (run,) = tick().claimed
    jump(-2 * HOUR)
    tick()
    run.refresh_from_db()
    now = database_now()
    assert run.redispatch_at is not None
    assert (run.redispatch_at - now).total_seconds() <= 60
    assert (Lease.objects.get(pk=run.pk).expires_at - now).total_seconds() <= (deadline or 86_400)


def test_claims_delayed_by_a_jump_ahead_are_dispatched_again_after_the_jump_back(jump: Jump) -> None:
    a_due_job()
    (run,) = tick().claimed
    jump(HOUR)
    tick()
    assert lifecycle.start(run.pk, run.token, uuid4(), host="here", pid=1) is None
    jump(0)
    tick()
    jump(HOUR)  # the caller read the clock before it jumped back
    lifecycle.record_dispatched([run], database_now())
    jump(0)
    let_a_lease_pass()
    tick()
    run.refresh_from_db()
    assert run.redispatch_at is not None
    assert (run.redispatch_at - database_now()).total_seconds() <= 60
    assert not jump_detection.do_leases_need_adjustment()


def test_a_jump_back_and_forward_repeats_and_omits_no_scheduled_time(jump: Jump) -> None:
    job = a_due_job(minutes=3)
    (run,) = tick().claimed
    lifecycle.finish(run.pk, run.token, started(run, "here"), Outcome(Status.SUCCEEDED))
    before = state_of(job).covered_until
    jump(-HOUR)
    tick()
    let_a_lease_pass()
    assert tick().claimed == []
    assert state_of(job).covered_until == before
    jump(120)
    tick()
    let_a_lease_pass()
    (later,) = tick().claimed
    assert before is not None
    assert later.scheduled_for == before + dt.timedelta(minutes=1)


def test_nothing_is_claimed_during_the_hold_off_and_each_command_reports_the_reason(
    jump: Jump, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts.record_heartbeat()
    job = a_due_job()
    tick(only=[])
    jump(HOUR)
    tick()
    with pytest.raises(ClaimRefused, match="jumped ahead by 36"):
        run_now(job, "a person")
    assert claim_after_run(job.pk).claimed == []
    assert "jumped ahead" in explanations.explanation_texts([state_of(job)], database_now())[job.pk]
    call_command("cron", dry_run=True)
    assert "would not claim" in capsys.readouterr().out
    host = Host.objects.get(name="here")
    assert host.suspended_until is not None
    assert host.suspended_until > database_now()
    let_a_lease_pass()
    hosts.record_heartbeat()
    assert hosts.suspension_messages() == []
    assert len(tick().claimed) == 1


def test_no_job_is_late_by_a_jump_of_the_clock(jump: Jump) -> None:
    """Neither during the hold-off nor at once after it: it could not start before."""
    a_due_job(alert_start_seconds=600)
    tick(only=[])
    jump(HOUR)
    tick()
    assert not Alert.objects.exists()
    let_a_lease_pass()
    assert len(tick().claimed) == 1
    assert not Alert.objects.exists()


@pytest.mark.database("postgres", "mariadb")
def test_nothing_is_claimed_on_another_database_server_than_the_one_that_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_due_job()
    jump_detection.read_clock()
    now = database_now()
    plans = [claim_plan.plan_scheduled_run(state, now) for state in due.find_due_jobs(SCHEDULED, now)]
    monkeypatch.setitem(database_clock._SERVER_SQL_BY_VENDOR, "postgresql", "'another'")
    monkeypatch.setitem(database_clock._SERVER_SQL_BY_VENDOR, "mariadb", "'another'")
    # Another setting: no statement that asks the other server is used.
    with override_settings(CHRONIKER_TEST_SERVER="another"), pytest.raises(jump_detection.ClockJumped):
        lifecycle.claim(plans, now)
    assert not Run.objects.exists()

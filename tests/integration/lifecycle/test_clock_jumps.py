"""The database clock jumps, or the server changes: for one lease nothing expires and nothing starts on this host.

Only the clock in the statements of chroniker jumps: each database adds the jump in its own SQL. With
a server whose clock really jumps, under every process at once, `tests.faults` does the same.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import override_settings

from chroniker import lifecycle
from chroniker.clock import clock_state, database_clock, jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts
from chroniker.lifecycle import Outcome
from chroniker.models import Host, Job, Lease, Run, Status
from chroniker.reasons import Code
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.clock_jumps import Jump, let_a_lease_pass
from tests.support.factories import a_due_job, started, state_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("runtime")]

HOUR = 3600


def a_running_run() -> tuple[Run, UUID]:
    """After a tick, so that this host has read the clock."""
    a_due_job()
    (run,) = tick().claimed
    return run, started(run, "here")


def test_after_a_jump_ahead_the_run_of_a_dead_worker_is_lost_one_lease_later(jump: Jump) -> None:
    run, _nonce = a_running_run()
    jump(HOUR)
    for _each in range(2):
        done = tick()
        assert (done.lost, done.claimed) == ([], [])
        assert "jumped ahead by 36" in str(done.suspended_because)
    assert lifecycle.expire_runs(10) == [], "also in a process that has not read the clock before"
    let_a_lease_pass()
    assert [lost.pk for lost in tick().lost] == [run.pk]


def test_a_jump_between_the_clock_reading_and_the_expiry_of_a_tick_is_detected(jump: Jump) -> None:
    run, _nonce = a_running_run()
    jump(HOUR)
    assert lifecycle.expire_runs(10) == []
    assert Run.objects.get(pk=run.pk).status == Status.RUNNING


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_clock_jump_during_a_tick_claims_and_books_nothing(jump: Jump, by: float) -> None:
    """The jump may come before any statement of the tick."""
    for number in range(1000):
        jump(0)
        (clock_state._state_path()).unlink(missing_ok=True)
        Lease.objects.all().delete()
        Job.objects.all().delete()
        claimable, disabled = a_due_job(minutes=3), a_due_job(minutes=3)
        jump_detection.read_clock()
        Job.objects.filter(pk=disabled.pk).update(enabled=False)
        edit = Job.objects.get(pk=disabled.pk).edited_at
        assert edit is not None
        place = _Statement(number, lambda: jump(by))
        with connection.execute_wrapper(place):
            tick()
        jump(0)
        for run in Run.objects.exclude(covered_until=None):
            assert run.covered_until is not None
            assert run.covered_until <= database_now(), (number, run)
        after = state_of(claimable)
        assert after.covered_until is not None
        assert after.covered_until <= database_now(), "a minute may begin meanwhile"
        booked = Job.objects.get(pk=disabled.pk).edited_at is None
        assert state_of(disabled).covered_until == edit or not booked, number
        if not place.reached:
            assert number > 10
            return


def test_a_run_that_starts_while_the_deadlines_are_reset_keeps_the_lease_of_its_holder() -> None:
    """By a host that has not detected the jump. The start may come before any statement."""
    for number in range(100):
        Lease.objects.all().delete()
        Job.objects.all().delete()
        a_due_job(start_deadline_seconds=600)
        (run,) = tick().claimed
        place = _Statement(number, functools.partial(started, run, "there"))
        with connection.execute_wrapper(place):
            lifecycle.reset_deadlines_after_clock_jump()
        if not place.reached:
            assert number > 3
            return
        left = (Lease.objects.get(pk=run.pk).expires_at - database_now()).total_seconds()
        assert left <= 60, number


class _Statement:
    """Calls ``act`` before the statement of this number."""

    def __init__(self, number: int, act: Callable[[], object]) -> None:
        self._number, self._act, self.reached = number, act, False

    def __call__(self, execute: Callable[..., Any], *words: Any) -> Any:
        self._number -= 1
        if self._number < 0 and not self.reached:
            self.reached = True
            self._act()
        return execute(*words)


def test_a_live_worker_keeps_its_lease_after_a_jump_ahead(jump: Jump) -> None:
    run, nonce = a_running_run()
    jump(HOUR)
    assert lifecycle.renew(run.pk, run.token, nonce).held
    assert Lease.objects.get(pk=run.pk).expires_at > database_now()
    let_a_lease_pass()
    assert tick().lost == []
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))


def test_a_removed_lease_is_not_renewed_after_a_jump(jump: Jump) -> None:
    run, nonce = a_running_run()
    jump(HOUR)
    tick()
    Lease.objects.filter(pk=run.pk).delete()
    assert not lifecycle.renew(run.pk, run.token, nonce).held
    assert not Lease.objects.filter(pk=run.pk).exists()


def test_a_lease_that_expired_without_a_clock_jump_is_not_renewed() -> None:
    run, nonce = a_running_run()
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - dt.timedelta(seconds=1))
    assert not lifecycle.renew(run.pk, run.token, nonce).held


def test_after_a_jump_back_the_run_of_a_dead_worker_is_lost_within_its_bound(jump: Jump) -> None:
    run, _nonce = a_running_run()
    jump(-HOUR)
    because = tick().suspended_because
    assert because is not None and because.code == Code.CLOCK_BACK
    left = (Lease.objects.get(pk=run.pk).expires_at - database_now()).total_seconds()
    assert left <= 60
    let_a_lease_pass()
    jump(-HOUR + 70)  # the lease has passed in the database, too
    assert tick().suspended_because
    let_a_lease_pass()
    assert [lost.pk for lost in tick().lost] == [run.pk]


def test_leases_are_shortened_even_if_no_tick_ran_during_the_hold_off(jump: Jump) -> None:
    run, _nonce = a_running_run()
    jump(-HOUR)
    jump_detection.read_clock()  # by a worker of this host
    let_a_lease_pass()
    tick()
    assert (Lease.objects.get(pk=run.pk).expires_at - database_now()).total_seconds() <= 60
    assert not jump_detection.do_leases_need_adjustment()


@pytest.mark.every_database
def test_another_database_server_suspends_starts_like_a_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    a_due_job()
    (run,) = tick().claimed
    monkeypatch.setitem(database_clock._SERVER_SQL_BY_VENDOR, "postgresql", "'another'")
    monkeypatch.setitem(database_clock._SERVER_SQL_BY_VENDOR, "mariadb", "'another'")
    memory = clock_state.read_clock_state()
    assert memory is not None
    if connection.vendor == "sqlite":  # a file has no server
        assert memory.server == ""
        return
    assert memory.server
    assert lifecycle.start(run.pk, run.token, uuid4(), host="here", pid=1) is None
    assert "A different database server" in str(tick().suspended_because)


@pytest.mark.every_database
@pytest.mark.database("postgres", "mariadb")
def test_a_renewal_notices_another_database_server(monkeypatch: pytest.MonkeyPatch) -> None:
    run, nonce = a_running_run()
    monkeypatch.setitem(database_clock._SERVER_SQL_BY_VENDOR, "postgresql", "'another'")
    monkeypatch.setitem(database_clock._SERVER_SQL_BY_VENDOR, "mariadb", "'another'")
    assert lifecycle.renew(run.pk, run.token, nonce).held
    assert "A different database server" in str(jump_detection.suspended_because())


def test_a_database_without_a_server_identity_is_monitored_by_its_clock(
    monkeypatch: pytest.MonkeyPatch, jump: Jump
) -> None:
    for vendor in ("postgresql", "mariadb", "sqlite"):
        monkeypatch.setitem(database_clock._SERVER_SQL_BY_VENDOR, vendor, "no_such_function()")
    a_due_job()
    (run,) = tick().claimed
    started(run, "here")
    jump(HOUR)
    assert "jumped ahead" in str(tick().suspended_because)


def test_a_heartbeat_measures_the_clock_of_the_host_and_records_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    run, nonce = a_running_run()
    hosts.record_heartbeat()

    def recorded_skew() -> float:
        lifecycle.renew(run.pk, run.token, nonce)
        skew = Host.objects.get(name="here").clock_skew_seconds
        assert skew is not None
        return skew

    right = recorded_skew()
    assert abs(right) < 1
    glance = jump_detection.read_host_clocks
    monkeypatch.setattr(
        jump_detection, "read_host_clocks", lambda: dataclasses.replace(glance(), wall=glance().wall + 5)
    )
    assert recorded_skew() == pytest.approx(5, abs=1)
    Host.objects.update(clock_skew_seconds=0)
    assert recorded_skew() == 0, "an unchanged value is not recorded again"


def test_a_lease_has_the_length_of_the_settings_of_its_holder(caplog: pytest.LogCaptureFixture) -> None:
    """A tick with a shorter lease in its settings must not shorten the leases of another process."""
    a_due_job()
    (run,) = tick().claimed
    with override_settings(CHRONIKER_LOCK_TIMEOUT=600):
        started(run)
        lifecycle.reset_deadlines_after_clock_jump()
    assert caplog.messages == []
    before = Lease.objects.get(pk=run.pk).expires_at
    with override_settings(CHRONIKER_LOCK_TIMEOUT=5):
        lifecycle.reset_deadlines_after_clock_jump()
    assert Lease.objects.get(pk=run.pk).expires_at == before
    [warning] = caplog.messages
    assert warning.startswith("Leases of [600.0] s are held, but CHRONIKER_LOCK_TIMEOUT is 5 s")

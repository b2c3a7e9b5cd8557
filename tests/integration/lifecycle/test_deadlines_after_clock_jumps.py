"""After a jump of the clock, leases, start deadlines and redispatch times are set again; each by its own rule."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import override_settings

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import Lease, Run
from tests.integration.lifecycle.child_runs import a_parent_with_children
from tests.integration.lifecycle.steps import a_claimed_run
from tests.support.factories import started

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("runtime")]

SECOND, HOUR = dt.timedelta(seconds=1), dt.timedelta(hours=1)


def seconds_left(run: Run) -> float:
    return (Lease.objects.get(pk=run.pk).expires_at - database_now()).total_seconds()


def test_each_lease_is_shortened_to_the_length_of_its_own_holder() -> None:
    """The processes of a fleet may have different settings during a release."""
    short, long = a_claimed_run(), a_claimed_run()
    started(short)
    with override_settings(CHRONIKER_LOCK_TIMEOUT=600):
        started(long)
    Lease.objects.update(expires_at=database_now() + HOUR)
    lifecycle.reset_deadlines_after_clock_jump()
    assert 50 < seconds_left(short) <= 60
    assert 590 < seconds_left(long) <= 600


@pytest.mark.parametrize("left", [10, 59.5])
def test_a_held_lease_is_never_extended(left: float) -> None:
    run, other = a_claimed_run(), a_claimed_run()
    started(run)
    started(other)
    expires_at = database_now() + left * SECOND
    Lease.objects.filter(pk=run.pk).update(expires_at=expires_at)
    Lease.objects.filter(pk=other.pk).update(expires_at=expires_at + HOUR)
    lifecycle.reset_deadlines_after_clock_jump()
    assert Lease.objects.get(pk=run.pk).expires_at == expires_at
    assert seconds_left(other) <= 60


def test_a_lease_without_a_length_keeps_its_end_and_is_no_reason_for_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An older release has written it."""
    run = a_claimed_run()
    started(run)
    expires_at = database_now() + HOUR
    Lease.objects.update(seconds=None, expires_at=expires_at)
    lifecycle.reset_deadlines_after_clock_jump()
    assert Lease.objects.get().expires_at == expires_at
    assert caplog.messages == []


@pytest.mark.usefixtures("live_hosts")
def test_the_lease_of_a_run_on_every_host_is_no_start_deadline() -> None:
    """The parent runs since its claim. Its children have not started."""
    parent, children = a_parent_with_children()
    soon = database_now() + 10 * SECOND
    Lease.objects.update(expires_at=soon)
    lifecycle.reset_deadlines_after_clock_jump()
    assert Lease.objects.get(pk=parent.pk).expires_at == soon
    assert all(seconds_left(child) > 80_000 for child in children)


def test_a_redispatch_is_brought_forward_and_never_postponed() -> None:
    soon, late = a_claimed_run(), a_claimed_run()
    at = database_now() + 10 * SECOND
    Run.objects.filter(pk=soon.pk).update(redispatch_at=at)
    Run.objects.filter(pk=late.pk).update(redispatch_at=at + HOUR)
    lifecycle.reset_deadlines_after_clock_jump()
    found = dict(Run.objects.values_list("pk", "redispatch_at"))
    assert found[soon.pk] == at
    brought_forward = found[late.pk]
    assert brought_forward is not None
    assert 50 * SECOND < brought_forward - database_now() <= 60 * SECOND

"""Requests to stop runs."""

from __future__ import annotations

from chroniker import lifecycle
from chroniker.lifecycle import Outcome
from chroniker.models import Run, Status
from tests.integration.lifecycle.steps import a_claimed_run, reread
from tests.support.factories import started


def test_a_stop_of_a_closed_run_changes_no_open_run() -> None:
    closed, claimed, running = (a_claimed_run() for _each in range(3))
    started(running)
    assert lifecycle.finish(closed.pk, closed.token, started(closed), Outcome(Status.SUCCEEDED))
    before = list(Run.objects.order_by("pk").values())
    assert not lifecycle.request_stop(closed.pk, "ann")
    assert list(Run.objects.order_by("pk").values()) == before
    assert reread(claimed).status == Status.CLAIMED


def test_of_several_runs_those_that_have_not_started_end_at_once() -> None:
    claimed, running, other = (a_claimed_run() for _each in range(3))
    started(running)
    assert lifecycle.request_stops([claimed.pk, running.pk], "ann")
    assert not lifecycle.request_stops([claimed.pk, running.pk], "bob")
    found = {run.pk: (run.status, run.stop_requested_by) for run in Run.objects.all()}
    assert found == {
        claimed.pk: (Status.STOPPED, "ann"),
        running.pk: (Status.RUNNING, "ann"),
        other.pk: (Status.CLAIMED, ""),
    }


def test_a_long_name_of_the_requester_is_cut_to_the_width_of_its_column() -> None:
    run = a_claimed_run()
    started(run)
    assert lifecycle.request_stop(run.pk, "ann" + "n" * 200)
    assert reread(run).stop_requested_by == "ann" + "n" * 147

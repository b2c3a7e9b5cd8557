"""Time that stands still between the steps of a test about alerts, and what was reported."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest

from chroniker import lifecycle
from chroniker.clock import simulated_time
from chroniker.lifecycle import Outcome, alert_episodes, alert_watch
from chroniker.lifecycle.alert_messages import AlertEvent
from chroniker.models import Alert, Job, Run, Status
from chroniker.scheduler import tick_result
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, started

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)  # a Monday


class AlertClock:
    """Moves the simulated time of the database, and ticks. ``reported``: events in order, with the job's name."""

    def __init__(self) -> None:
        self.reported: list[str] = []
        self.calls = 0

    def announce(self, events: Sequence[AlertEvent]) -> None:
        self.calls += 1
        self.reported += [f"{each.event} {each.alert.job}" for each in events]

    def at(self, **since_start: float) -> dt.datetime:
        """Move to this time after the start."""
        moment = START + dt.timedelta(**since_start)
        simulated_time.set_simulated_time(moment)
        return moment

    def tick(self, **since_start: float) -> tick_result.TickResult:
        return tick(now=self.at(**since_start))

    def job(self, **fields: object) -> Job:
        return a_booked_job(since=START, **{"name": "nightly", **fields})


def finish(run: Run, status: Status = Status.SUCCEEDED) -> None:
    """Start the run, unless it is running, and end it."""
    run.refresh_from_db()
    nonce = run.nonce if run.status == Status.RUNNING and run.nonce else started(run)
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(status))


def fail(clock: AlertClock, minutes: int, status: Status = Status.FAILED) -> None:
    """At this minute a run is claimed, and ends like this."""
    (run,) = clock.tick(minutes=minutes).claimed
    finish(run, status)


def open_alerts() -> list[str]:
    return [str(alert.kind) for alert in Alert.objects.filter(ended_at=None).order_by("raised_at", "kind")]


def record_events(monkeypatch: pytest.MonkeyPatch, clock: AlertClock) -> None:
    for module in (alert_episodes, alert_watch):
        monkeypatch.setattr(module, "write_alert_messages", clock.announce)

"""Scenes about ``beat_schedule``: one beat of the fleet sends an entry for each of its times."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chroniker.process.kernel import host_clock
from tests.simulation.checker.rows import rows
from tests.simulation.scenes.base import Scene

EVERY = 5.0
END = 30.0
LOST_RACE = "another beat was first"


class EntryOnce(Scene):
    """Two beats have the same entry. One of them is delayed at each of its statements in turn."""

    situation = LOST_RACE
    delay = 0.7

    def play(self) -> None:
        self.sent: list[object] = []  #: until when the entry was accounted for at each message
        beats = [self.process(host, f"beat of {host.name}", self._beat, 1.0) for host in (self.a, self.b)]
        self.interrupt(beats[0])
        self.world.run(until=END + 5)

    def _beat(self) -> None:
        sender = self._sender()
        while self.world.now < END:
            host_clock.sleep(max(sender.send_next(), 0.01))

    def _sender(self) -> Any:
        from celery import Celery
        from celery.beat import ScheduleEntry
        from celery.schedules import schedule

        from chroniker_celery import beat_sender

        app = Celery("simulation", set_as_current=False)
        every = schedule(run_every=dt.timedelta(seconds=EVERY), app=app)
        entry = ScheduleEntry("entry", "task", schedule=every, app=app)

        class Sender(beat_sender.EntrySender):
            def _claim_and_send(sender, *args: Any) -> float:  # `self` is the scene
                wait = super()._claim_and_send(*args)
                if wait == beat_sender.MIN_WAIT_SECONDS:
                    self.world.note(LOST_RACE)
                return wait

        scheduler: Any = _Scheduler(app, {"entry": entry}, self._send)
        return Sender(scheduler, "")

    def _send(self, *_args: Any, **_options: Any) -> None:
        [(until,)] = rows("SELECT served_until FROM chroniker_celery_beatentry")
        self.world.note("entry is sent", until)
        if until in self.sent:
            self.world.violated("beat entries", f"the entry was sent twice for its times until {until}")
        self.sent.append(until)

    def verify(self) -> None:
        if len(self.sent) < (END / EVERY) - 2:
            self.world.violated("beat entries", f"the entry was sent {len(self.sent)} times only")


class _Scheduler:
    """What an ``EntrySender`` uses of Celery's scheduler."""

    def __init__(self, app: Any, entries: dict[str, Any], send: Any) -> None:
        self.app, self.schedule, self.apply_async = app, entries, send

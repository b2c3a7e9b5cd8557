"""A beat of this process, and entries of ``beat_schedule``."""

from __future__ import annotations

import datetime as dt
import signal
from typing import Any

from celery import Celery

from chroniker_celery.beat import Scheduler

DAY, HOUR, SECOND = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(seconds=1)


class ABeat(Scheduler):
    """A beat of this process, which records what it would send."""

    def __init__(
        self, entries: dict[str, Any], *, fails_with: Exception | None = None, expires: int = 0, **kwargs: Any
    ) -> None:
        app = Celery("entries", broker="memory://", set_as_current=False)
        app.conf.update(beat_schedule=entries, timezone="UTC", result_backend="django-db", result_expires=expires)
        super().__init__(app, **kwargs)
        self.sent: list[str] = []
        self.fails_with = fails_with
        self.signal_before_sending: signal.Signals | None = None

    def send_task(self, name: str, *args: Any, **kwargs: Any) -> None:
        if self.signal_before_sending is not None:
            signal.raise_signal(self.signal_before_sending)
        if self.fails_with is not None:
            raise self.fails_with
        self.sent.append(name)

    def send_what_is_due(self) -> list[str]:
        """The tasks that it sends before it would sleep."""
        for _ in range(100):
            if self._sender.send_next() > 0:
                break
        sent, self.sent = self.sent, []
        return sent


def entry(every: Any, task: str = "shop.report") -> dict[str, Any]:
    return {"task": task, "schedule": every}

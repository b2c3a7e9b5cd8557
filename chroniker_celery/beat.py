"""``celery beat --scheduler chroniker_celery.beat:Scheduler``: beat is the tick."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import Celery, beat
from django.db import Error, close_old_connections

from chroniker.scheduler import tick_result
from chroniker.scheduler.loop import Ticker

logger = logging.getLogger(__name__)

#: So late at most is an edit noticed, or a lost run.
PERIOD = 5

#: A pass that found something due or blocked is not repeated at once.
SHORTEST_WAIT = 0.01


class Scheduler(beat.Scheduler):
    """Ticks when something is due, and every 5 seconds at least; between ticks it sleeps.

    The Celery app's own ``beat_schedule`` works as ever, remembered in memory only: intervals begin anew when beat
    is started. Any number of these may run at once: each instant of a job is claimed once. (Entries of
    ``beat_schedule`` are not; each beat sends them, as Celery's own would.)
    """

    max_interval = PERIOD

    def __init__(self, app: Celery, *args: Any, **kwargs: Any) -> None:
        self._ticker: Ticker | None = None
        self._next_pass = 0.0  # monotonic
        self._away_since: float | None = None
        super().__init__(app, *args, **kwargs)
        self.max_interval = min(self.max_interval or PERIOD, PERIOD)

    @property
    def producer(self) -> None:  # type: ignore[override]
        """None: entries go over the app's pool, with its retries. Celery's own beat waits for its broker for ever."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """One entry of ``beat_schedule``, if one is due, and one pass over the jobs; how long to sleep then."""
        wait = super().tick(*args, **kwargs)
        now = time.monotonic()
        if now >= self._next_pass:
            self._next_pass = now + self._pass()
            now = time.monotonic()
        return max(0.0, min(float(wait), self._next_pass - now))

    def _pass(self) -> float:
        """Tick; seconds until the next. While the database is away: said once, and tried again."""
        if self._ticker is None:
            self._ticker = Ticker(self.max_interval or PERIOD, _ignore)
        try:
            pause = self._ticker.step()
        except Error as error:
            self._away(error)
            return 1.0
        finally:
            close_old_connections()
        self._back()
        return max(pause, SHORTEST_WAIT)

    def _away(self, error: Error) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            logger.error("The database cannot be used; trying again until it can. %s", str(error).strip())

    def _back(self) -> None:
        if self._away_since is not None:
            logger.warning("The database can be used again, after %.0f s.", time.monotonic() - self._away_since)
            self._away_since = None

    @property
    def info(self) -> str:
        return f"    . jobs -> a pass when one is due, and every {self.max_interval:g} s"


def _ignore(done: tick_result.TickResult) -> None:
    """What a pass did is in the database."""

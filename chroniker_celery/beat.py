"""``celery beat --scheduler chroniker_celery.beat:Scheduler``: the scheduler's ticks run in Celery beat."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import Celery, beat
from django.db import Error, connections

from chroniker.scheduler import start_report, tick_result
from chroniker.scheduler.database_errors import explain_database_error
from chroniker.scheduler.loop import TickLoop
from chroniker_celery.beat_sender import EntrySender

logger = logging.getLogger(__name__)

#: With the time that a tick takes, an edit or a lost run is noticed within a second.
MAX_SECONDS_BETWEEN_TICKS = 0.8

#: Seconds between two ticks at least.
MIN_WAIT_SECONDS = 0.01


class Scheduler(beat.Scheduler):
    """Ticks when a job is due, and at least every 0.8 s. Sends the entries of ``beat_schedule``, too.

    Any number of beats may run at once: each scheduled time of a job is claimed once, and each entry is sent once for
    each of its scheduled times. What was sent is in the database, so intervals go on when beat restarts.
    """

    max_interval = MAX_SECONDS_BETWEEN_TICKS  # type: ignore[assignment]  # Celery takes any number

    def __init__(self, app: Celery, *args: Any, **kwargs: Any) -> None:
        self._ticker: TickLoop | None = None
        self._sender = EntrySender(self, str(kwargs.get("schedule_filename") or ""))
        self._next_tick = 0.0  # on the monotonic clock
        self._is_ticking = False
        self._down_since: float | None = None
        super().__init__(app, *args, **kwargs)
        self.max_interval = min(self.max_interval or MAX_SECONDS_BETWEEN_TICKS, MAX_SECONDS_BETWEEN_TICKS)

    def setup_schedule(self) -> None:
        """Install Celery's default entries last: merging the project's entries would remove them."""
        self.merge_inplace(self.app.conf.beat_schedule)
        self.install_default_entries(self.schedule)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send one entry of ``beat_schedule`` if it is due, and tick. Returns the seconds to sleep."""
        if self._ticker is None:
            self._ticker = TickLoop(self.max_interval or MAX_SECONDS_BETWEEN_TICKS, _ignore_result, kind="beat")
        self._ticker.touch_alive_file()
        try:
            self._is_ticking = True
            wait = self._sender.send_next()
            now = time.monotonic()
            if now >= self._next_tick:
                self._next_tick = now + self._run_scheduler_tick(self._ticker)
                now = time.monotonic()
        except SystemExit:  # a signal, perhaps in the middle of a statement
            connections.close_all()
            raise
        finally:
            self._is_ticking = False
        return max(0.0, min(wait, self._next_tick - now))

    def _run_scheduler_tick(self, ticker: TickLoop) -> float:
        """Tick; returns the seconds until the next. While the database is down: logs it once, and tries again."""
        try:
            pause = ticker.tick_and_record_pass()
        except Error as error:
            self._log_database_down(error)
            return 1.0
        finally:
            ticker.connection.release()
        self._log_database_up()
        return max(pause, MIN_WAIT_SECONDS)

    def _log_database_down(self, error: Error) -> None:
        if self._down_since is None:
            self._down_since = time.monotonic()
            logger.error("The database cannot be used; trying again until it can. %s", explain_database_error(error))

    def _log_database_up(self) -> None:
        if self._down_since is not None:
            logger.warning("The database can be used again, after %.0f s.", time.monotonic() - self._down_since)
            self._down_since = None

    def close(self) -> None:
        """Record the end of this beat. Celery calls this method in its signal handler, and again after its loop.

        If the signal interrupted a tick, which may be using the database, only the second call records the end. Another
        signal during this recording ends the recording.
        """
        super().close()
        if self._ticker is not None and not self._is_ticking:
            ticker, self._ticker = self._ticker, None
            ticker.close()

    @property
    def info(self) -> str:
        """The lines that Celery prints when beat starts."""
        lines = [f"    . {line.replace(': ', ' -> ', 1)}" for line in start_report.startup_log_lines()]
        return "\n".join([*lines, f"    . ticks -> when a job is due, and every {self.max_interval:g} s"])


def _ignore_result(done: tick_result.TickResult) -> None:
    """The result of a tick need not be saved: it is in the database."""

"""Tick after tick in one process: when the next one is due, and what to do while the database is away."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Collection
from typing import TypeVar

from django.db import Error, close_old_connections
from django.db.models import Model, QuerySet

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts
from chroniker.executors import executors
from chroniker.models import JobState
from chroniker.scheduler import tick, tick_result
from chroniker.scheduler.database_errors import explain
from chroniker.scheduler.local_runs import LocalRuns
from chroniker.scheduler.shutdown_signals import ShutdownSignals

logger = logging.getLogger(__name__)

LONGEST_BACKOFF_SECONDS = 30.0

M = TypeVar("M", bound=Model)


def next_moment(after: dt.datetime) -> dt.datetime | None:
    """The first moment later than ``after`` for which something is booked: a run, a retry, a second message."""
    claims = hosts.claims_for_this_host(executors.here())
    states = JobState.objects.filter(job__enabled=True)
    moments = (
        _first(states, "next_run", after),
        _first(states, "retry_at", after),
        _first(claims, "redispatch_at", after),
    )
    return min((moment for moment in moments if moment is not None), default=None)


def _first(rows: QuerySet[M], field: str, after: dt.datetime) -> dt.datetime | None:
    # One index each; the smallest of the three in one statement would need them all at once.
    moments = rows.filter(**{f"{field}__gt": after}).order_by(field).values_list(field, flat=True)
    moment: dt.datetime | None = moments.first()
    return moment


class Ticker:
    """Ticks when something is due, and every ``period`` seconds at least: so late are edits noticed, and lost runs."""

    def __init__(
        self, period: float, tell: Callable[[tick_result.TickResult], None], only: Collection[int] | None = None
    ) -> None:
        self._period, self._tell, self._only = period, tell, only
        self._seen_at = -hosts.HEARTBEAT_SECONDS
        self._serves: Collection[str] = ()
        self._away_since: float | None = None
        self._tries = 0

    def serve(self, runs: LocalRuns, asked: ShutdownSignals) -> None:
        """Until this process is asked to end. An error that is not the database's is a defect, and ends it too."""
        self._serves = runs.aliases
        while not asked:
            pause = self._try(self.step)
            until = time.monotonic() + pause
            while not asked and (left := until - time.monotonic()) > 0:
                runs.wait(min(left, hosts.HEARTBEAT_SECONDS))
                if self._is_to_be_seen and self._away_since is None:
                    self._try(self._be_seen)

    def _try(self, part: Callable[[], float]) -> float:
        try:
            pause = part()
        except Error as error:
            return self._away(error)
        finally:
            close_old_connections()
        self._back()
        return pause

    def step(self) -> float:
        """One tick. Returns how many seconds may pass until the next.

        1. Say that this host is alive, once a minute.
        2. Tick.
        3. Look for the first moment booked after the beginning of this tick: what came up meanwhile is due now.
        """
        began = database_now()
        self._be_seen()
        self._tell(tick.tick(self._only))
        moment = next_moment(began)
        if moment is None:
            return self._period
        return min(self._period, max(0.0, (moment - database_now()).total_seconds()))

    @property
    def _is_to_be_seen(self) -> bool:
        return time.monotonic() - self._seen_at >= hosts.HEARTBEAT_SECONDS

    def _be_seen(self) -> float:
        """Also between two ticks: with an hour between them this host would not count as live."""
        if self._is_to_be_seen:
            hosts.record_heartbeat(self._serves)
            self._seen_at = time.monotonic()
        return 0.0

    def _away(self, error: Error) -> float:
        """The database cannot be used. Said once, until it can; tried again, each time later."""
        if self._away_since is None:
            self._away_since, self._tries = time.monotonic(), 0
            logger.warning("The database cannot be used; trying again until it can. %s", explain(error))
        pause = min(2.0**self._tries, LONGEST_BACKOFF_SECONDS)
        self._tries += 1
        return pause

    def _back(self) -> None:
        if self._away_since is not None:
            logger.warning("The database can be used again, after %.0f s.", time.monotonic() - self._away_since)
            self._away_since = None

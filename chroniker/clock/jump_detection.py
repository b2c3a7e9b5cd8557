"""Detects jumps of the database's clock, and a change of the server that answers.

A lease ends by the database's clock; its holder counts by the host's boot clock, which cannot be set. When the two
disagree, a lease that looks expired may still be held. So after a host has detected a jump, nothing expires and
nothing starts there for one lease: within that time every holder has renewed its lease, or has killed its command.

``clock_state`` compares a reading with the state. This is a file of the host, because each tick from a crontab is a new
process. *Limits:* a host without that file (just booted, or a new container) detects nothing; jumps smaller than the
drift allowance are not detected.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connections, transaction
from django.db.models import Expression, Lookup, TextField, Value
from django.db.models.lookups import Exact, GreaterThanOrEqual, LessThanOrEqual

from chroniker.clock import clock_state
from chroniker.clock.clock_state import ClockState
from chroniker.clock.database_clock import NowPlus, ServerIdentity, database_now, database_now_and_server
from chroniker.conf import settings
from chroniker.process.kernel import boot_clock, host_clock
from chroniker.reasons import NO_REASON, Reason

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostClocks:
    """The clocks of this host, read just before the database's."""

    boot: float
    wall: float


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The database's clock, and how far this host's clock is from it. ``suspended_because``: why nothing may start or
    expire here for the next ``suspension_seconds_left``; empty: the clock is trusted."""

    now: dt.datetime
    skew_seconds: float
    suspended_because: Reason = NO_REASON
    suspension_seconds_left: float = 0.0
    query_seconds: float = 0.0  #: the skew is known as precisely as this


class ClockJumped(Exception):
    """The database's clock cannot be trusted now: no decision may use it."""

    def __init__(self, reading: ClockReading) -> None:
        super().__init__(str(reading.suspended_because))
        self.reading = reading


def read_host_clocks() -> HostClocks:
    return HostClocks(boot_clock(), host_clock.wall())


def read_clock() -> ClockReading:
    """Read the database's clock and evaluate it. From the second call on this is one statement."""
    state = clock_state.read_clock_state()
    before = read_host_clocks()
    if state is not None and state.server == "":
        return evaluate_reading(database_now(), None, before)
    using = settings.database
    was_seen_to_work = state is not None and state.server is not None
    may_spoil = connections[using].in_atomic_block and not was_seen_to_work
    try:
        with transaction.atomic(using=using) if may_spoil else nullcontext():
            now, server = database_now_and_server()
    except DatabaseError as error:
        before = read_host_clocks()
        now, server = database_now(), ""  # raises if the database itself has failed
        logger.info("The database does not identify its server; only its clock is watched. %s", error)
    return evaluate_reading(now, server, before)


class PassClock:
    """The database's time during one pass: read and evaluated once, then advanced with this host's boot clock.

    A claim evaluates the database's clock again in its own transaction. ``fixed``: a time that stands still, for tests.
    """

    def __init__(self, reading: ClockReading, fixed: dt.datetime | None = None) -> None:
        self._reading, self._fixed, self._read_at = reading, fixed, boot_clock()

    def __call__(self) -> dt.datetime:
        if self._fixed is not None:
            return self._fixed
        return self._reading.now + dt.timedelta(seconds=boot_clock() - self._read_at)


@dataclass(frozen=True, slots=True)
class TrustedClock:
    """The stored state that the next reading is compared with. ``server``: empty where it is not readable."""

    state: ClockState
    server: str

    def bounds_of_trusted_readings(self, before: HostClocks) -> tuple[dt.datetime, dt.datetime]:
        """Between these times of the database's clock, ``evaluate_reading`` will trust a reading that is taken now.

        A statement that waits long reads a time outside these bounds, even if ``evaluate_reading`` would trust it.
        """
        allowed = clock_state.compute_allowed_drift(abs(before.boot - self.state.seen))
        lowest, highest = self.state.low + before.boot - allowed, self.state.high + before.boot + allowed
        return dt.datetime.fromtimestamp(lowest, dt.UTC), dt.datetime.fromtimestamp(highest, dt.UTC)


def trusted_clock_conditions(lowest: dt.datetime, highest: dt.datetime, server: str | None) -> list[Lookup[Any]]:
    """SQL conditions: at this statement the database's clock is between these bounds, and this is the server."""
    of_clock = [GreaterThanOrEqual(NowPlus(), lowest), LessThanOrEqual(NowPlus(), highest)]
    return [*of_clock, *([] if server is None else [Exact(ServerIdentity(), server)])]


def load_trusted_clock() -> TrustedClock | None:
    """The clock that the next statement may trust. ``None``: nothing is known yet, or starts are suspended."""
    state = clock_state.read_clock_state()
    if state is None or state.server is None or state.suspension_seconds_left or not math.isfinite(state.low):
        return None
    return TrustedClock(state, state.server)


def last_known_server() -> str | None:
    """The server that answered last; empty: its identity is not readable; None: not queried yet."""
    state = clock_state.read_clock_state()
    return state.server if state else None


def read_trusted_clock() -> ClockReading:
    """The database's clock, read and evaluated. Raises ``ClockJumped`` where it jumped."""
    reading = read_clock()
    if reading.suspended_because:
        raise ClockJumped(reading)
    return reading


def read_trusted_now() -> dt.datetime:
    """The time of ``read_trusted_clock``, for one decision."""
    return read_trusted_clock().now


def server_identity_expression() -> Expression:
    """A column for another statement: the server that answers; empty if it is not known that this can be read."""
    state = clock_state.read_clock_state()
    return ServerIdentity() if state and state.server else Value("", TextField())


def evaluate_reading(now: dt.datetime, server: str | None, before: HostClocks) -> ClockReading:
    """Evaluate a reading and store the new state. ``before``: the host's clocks just before the query."""
    after = read_host_clocks()
    state = clock_state.read_clock_state()
    latest = clock_state.compute_next_state(
        state, clock_state.ClockObservation(now.timestamp(), before.boot, after.boot, server)
    )
    if latest is not state:
        clock_state.write_clock_state(latest)
        if latest.until > (state.until if state else 0.0):
            logger.warning(
                "%s Starts and expiry are suspended here for %.0f s.", latest.reason, latest.suspension_seconds_left
            )
    left = max(0.0, latest.until - after.boot)
    skew = (before.wall + after.wall) / 2 - now.timestamp()
    return ClockReading(now, skew, latest.reason if left else NO_REASON, left, after.boot - before.boot)


def suspended_because() -> Reason:
    """Why starts are suspended on this host, as far as it is known already. Executes no statement."""
    state = clock_state.read_clock_state()
    return state.reason if state and state.suspension_seconds_left else NO_REASON


def do_leases_need_adjustment() -> bool:
    """Whether the clock jumped, and no tick of this host has adjusted the leases since."""
    state = clock_state.read_clock_state()
    return state is not None and state.unsettled


def mark_leases_adjusted() -> None:
    if (state := clock_state.read_clock_state()) is not None:
        clock_state.write_clock_state(dataclasses.replace(state, unsettled=False))


def record_skew_if_changed(reading: ClockReading) -> bool:
    """Record this host's clock skew if it differs much from the recorded one; returns whether it does.

    A reading that took long is ignored: its skew is imprecise.
    """
    state = clock_state.read_clock_state()
    if state is None or reading.query_seconds > clock_state.MAX_PRECISE_READING_SECONDS:
        return False
    skew, told = reading.skew_seconds, state.told_skew
    if told is not None and abs(skew - told) < clock_state.MIN_RECORDED_SKEW_CHANGE_SECONDS:
        return False
    clock_state.write_clock_state(dataclasses.replace(state, told_skew=skew))
    return True

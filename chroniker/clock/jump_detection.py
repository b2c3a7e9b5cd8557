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
from chroniker.clock.database_clock import FromNow, Server, database_now, database_now_and_server
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
    expire here for ``seconds`` more; empty: the clock is trusted."""

    now: dt.datetime
    skew: float
    suspended_because: Reason = NO_REASON
    seconds: float = 0.0
    took: float = 0.0  #: seconds between the question and the answer: the skew is known as precisely as this


class ClockJumped(Exception):
    """The database's clock cannot be trusted now: no decision may use it."""

    def __init__(self, reading: ClockReading) -> None:
        super().__init__(str(reading.suspended_because))
        self.reading = reading


def read_host_clocks() -> HostClocks:
    return HostClocks(boot_clock(), host_clock.wall())


def read_clock() -> ClockReading:
    """Read the database's clock and evaluate it. One statement, from the second time on."""
    memory = clock_state.read()
    before = read_host_clocks()
    if memory is not None and memory.server == "":
        return evaluate(database_now(), None, before)
    using = settings.database
    was_seen_to_work = memory is not None and memory.server is not None
    may_spoil = connections[using].in_atomic_block and not was_seen_to_work
    try:
        with transaction.atomic(using=using) if may_spoil else nullcontext():
            now, server = database_now_and_server()
    except DatabaseError as error:
        before = read_host_clocks()
        now, server = database_now(), ""  # raises if the database itself has failed
        logger.info("The database does not identify its server; only its clock is watched. %s", error)
    return evaluate(now, server, before)


class PassClock:
    """The database's time during one pass: read and judged once, then carried on by the clock of this host's boot.

    A claim judges the database's clock again in its own transaction. ``fixed``: a time that stands still, for tests.
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

    memory: ClockState
    server: str

    def bounds(self, before: HostClocks) -> tuple[dt.datetime, dt.datetime]:
        """Between these times of the database's clock, ``evaluate`` will trust a reading that is taken now.

        A reading that waits long is outside them, even if it can be trusted.
        """
        allowed = clock_state.allowed_drift(abs(before.boot - self.memory.seen))
        lowest, highest = self.memory.low + before.boot - allowed, self.memory.high + before.boot + allowed
        return dt.datetime.fromtimestamp(lowest, dt.UTC), dt.datetime.fromtimestamp(highest, dt.UTC)


def is_within(lowest: dt.datetime, highest: dt.datetime, server: str | None) -> list[Lookup[Any]]:
    """SQL conditions: at this statement the database's clock is between these bounds, and this is the server."""
    of_clock = [GreaterThanOrEqual(FromNow(), lowest), LessThanOrEqual(FromNow(), highest)]
    return [*of_clock, *([] if server is None else [Exact(Server(), server)])]


def trusted_clock() -> TrustedClock | None:
    """``None``: the next reading has to be evaluated, because nothing is known yet or starts are suspended."""
    memory = clock_state.read()
    if memory is None or memory.server is None or memory.seconds_left or not math.isfinite(memory.low):
        return None
    return TrustedClock(memory, memory.server)


def known_server() -> str | None:
    """The server that answered last; empty: its identity is not readable; None: not queried yet."""
    memory = clock_state.read()
    return memory.server if memory else None


def trusted_reading() -> ClockReading:
    """The database's clock, read and judged. Raises ``ClockJumped`` where it jumped."""
    reading = read_clock()
    if reading.suspended_because:
        raise ClockJumped(reading)
    return reading


def trusted_now() -> dt.datetime:
    """The time of ``trusted_reading``, for one decision."""
    return trusted_reading().now


def server_column() -> Expression:
    """A column for another statement: which server answers; empty where asking is not known to work."""
    memory = clock_state.read()
    return Server() if memory and memory.server else Value("", TextField())


def evaluate(now: dt.datetime, server: str | None, before: HostClocks) -> ClockReading:
    """Evaluate a reading and store the new state. ``before``: the host's clocks just before the query."""
    after = read_host_clocks()
    memory = clock_state.read()
    latest = clock_state.next_state(memory, clock_state.Observation(now.timestamp(), before.boot, after.boot, server))
    if latest is not memory:
        clock_state.write(latest)
        if latest.until > (memory.until if memory else 0.0):
            logger.warning("%s Starts and expiry are suspended here for %.0f s.", latest.why, latest.seconds_left)
    left = max(0.0, latest.until - after.boot)
    skew = (before.wall + after.wall) / 2 - now.timestamp()
    return ClockReading(now, skew, latest.why if left else NO_REASON, left, after.boot - before.boot)


def suspended_because() -> Reason:
    """Why starts are suspended on this host, as far as it is known already. No statement."""
    memory = clock_state.read()
    return memory.why if memory and memory.seconds_left else NO_REASON


def is_unsettled() -> bool:
    """Whether the clock jumped, and no tick of this host has adjusted the leases since."""
    memory = clock_state.read()
    return memory is not None and memory.unsettled


def mark_settled() -> None:
    if (memory := clock_state.read()) is not None:
        clock_state.write(dataclasses.replace(memory, unsettled=False))


def skew_changed(reading: ClockReading) -> bool:
    """Whether this host's clock skew differs much from the recorded one, which is then replaced by this one.

    A reading that took long says too little about the skew.
    """
    memory = clock_state.read()
    if memory is None or reading.took > clock_state.SHARP_SECONDS:
        return False
    if memory.told_skew is not None and abs(reading.skew - memory.told_skew) < clock_state.TELLING_SECONDS:
        return False
    clock_state.write(dataclasses.replace(memory, told_skew=reading.skew))
    return True

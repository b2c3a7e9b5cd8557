"""What one host remembers of the database's clock: a small file, and what a new reading of the clock makes of it."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.process.kernel import boot_clock, boot_id
from chroniker.process.runtime_dir import prepare

logger = logging.getLogger(__name__)

#: Of two clocks that nobody sets, one gains no more than this on the other in a second.
DRIFT_RATE = 0.001
#: A reading that took no longer than this, or than the one that is remembered, is worth remembering.
SHARP_SECONDS = 0.5
#: What says nothing new is written down this often.
WRITE_SECONDS = 1.0
#: A clock whose difference changed by so much is told of at once.
TELLING_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Observation:
    """The database's clock (``now``, Unix time), seen at some moment between two of the boot clock."""

    now: float
    after: float
    before: float
    server: str | None = None  #: which one answered; empty: it cannot be told; None: nobody has asked


@dataclass(frozen=True, slots=True)
class ClockState:
    """The database's clock minus the boot clock lay between ``low`` and ``high`` when it was seen last."""

    boot: str
    seen: float  #: on the boot clock, as is ``until``
    low: float
    high: float
    server: str | None = None
    until: float = 0.0  #: nothing starts or expires here before
    why: str = ""
    unsettled: bool = False  #: no tick of this host has called `lifecycle.restart_after_clock_jump` since the jump
    told_skew: float | None = None

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.until - boot_clock())


def next_state(memory: ClockState | None, seen: Observation) -> ClockState:
    """What is to be remembered from now on; ``memory`` itself where the reading adds nothing to it."""
    low, high = seen.now - seen.before, seen.now - seen.after
    if memory is None:
        return ClockState(boot_id(), seen.after, low, high, seen.server)
    allowed = _allowed(abs(seen.after - memory.seen))
    forward, back = low - memory.high, memory.low - high
    if seen.after <= memory.seen:  # somebody was quicker to look, and to write it down
        if max(forward, back) <= allowed or memory.until > seen.before:
            return memory
        return _quieted(memory, seen, _("The database's clock jumped to and fro."))
    known = dataclasses.replace(memory, server=memory.server if seen.server is None else seen.server)
    new = dataclasses.replace(known, seen=seen.after, low=low, high=high)
    if forward > allowed:
        return _quieted(new, seen, _("The database's clock jumped ahead by %(seconds).0f s.") % {"seconds": forward})
    if back > allowed:
        why = _("The database's clock went back by %(seconds).0f s.") % {"seconds": back}
        return _quieted(new, seen, why)
    if memory.server and seen.server and memory.server != seen.server:
        return _quieted(new, seen, _("Another database server answers than before; a standby may have been promoted."))
    if high - low > max(SHARP_SECONDS, memory.high - memory.low):
        return known if known != memory else memory
    if known == memory and seen.after - memory.seen < WRITE_SECONDS:
        return memory
    return new


def _allowed(elapsed: float) -> float:
    """How far the clocks may have drifted apart: never so far that a lease could end before its holder's deadline."""
    drift = settings.drift_allowance.total_seconds()
    return max(drift, min(drift + elapsed * DRIFT_RATE, settings.lease_margin.total_seconds()))


def _quieted(memory: ClockState, seen: Observation, why: str) -> ClockState:
    """For one lease, and what two clocks may drift apart within it, counted from now: who asked may have been asleep
    for longer than that before it got to judge the answer."""
    return dataclasses.replace(memory, until=seen.before + _quiet_seconds(), why=why, unsettled=True)


def _quiet_seconds() -> float:
    return (settings.lease + settings.drift_allowance).total_seconds()


def read() -> ClockState | None:
    """What this host remembers since it booted, for the database that decides; None: nothing."""
    try:
        descriptor = os.open(_path(), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            if os.fstat(descriptor).st_uid != os.geteuid():
                return None
            memory = ClockState(**json.load(file))
    except (OSError, ValueError, TypeError):  # there is none, or it is of another version
        return None
    return memory if memory.boot == boot_id() and memory.seen <= boot_clock() else None


def write(memory: ClockState) -> None:
    """Replace what is remembered. Where nothing can be written, only the checks of the directory say so."""
    path = _path()
    draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        prepare(path.parent)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(dataclasses.asdict(memory), file)
        draft.replace(path)
    except OSError as error:
        logger.info("The database's clock was not remembered: %s", error)
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _path() -> Path:
    return settings.runtime_dir / f"clock-{settings.database_digest}.json"

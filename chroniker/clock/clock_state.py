"""The state of the database's clock as one host knows it: a small file, and the rule that updates it."""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import math
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chroniker.clock import simulated_time
from chroniker.conf import settings
from chroniker.process.kernel import boot_clock, boot_id
from chroniker.process.runtime_dir import ensure_private_directory
from chroniker.reasons import NO_REASON, Code, Reason

logger = logging.getLogger(__name__)

#: The largest drift between two clocks that are not set, in seconds per second.
MAX_DRIFT_RATE = 0.001
#: A reading that took longer than this, and longer than the stored one, is too imprecise to store.
MAX_PRECISE_READING_SECONDS = 0.5
#: A reading that changes nothing else is stored at most this often.
MIN_SECONDS_BETWEEN_STATE_WRITES = 1.0
#: A change of the host clock's skew by this much is recorded at once.
MIN_RECORDED_SKEW_CHANGE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ClockObservation:
    """One reading of the database's clock, taken between two readings of the boot clock. All in seconds."""

    database_unix_time: float
    boot_clock_before_query: float
    boot_clock_after_query: float
    server: str | None = None  #: the server that answered; empty: its name is not readable; None: not queried


@dataclass(frozen=True, slots=True)
class ClockState:
    """At the latest reading the database's clock minus the boot clock lay between ``low`` and ``high``."""

    boot: str
    seen: float  #: on the boot clock, as is ``until``
    low: float
    high: float
    server: str | None = None
    until: float = 0.0  #: until then nothing starts or expires on this host
    code: str = ""  #: the code of the reason for that; its parameter is ``jump_seconds``
    jump_seconds: int = 0
    unsettled: bool = False  #: ``reset_deadlines_after_clock_jump`` has not run on this host since the jump
    told_skew: float | None = None

    @property
    def suspension_seconds_left(self) -> float:
        return max(0.0, self.until - boot_clock())

    @property
    def reason(self) -> Reason:
        return Reason.of(Code(self.code), seconds=self.jump_seconds) if self.code in Code else NO_REASON


def compute_next_state(state: ClockState | None, observation: ClockObservation) -> ClockState:
    """The state after this reading; ``state`` itself where the reading adds nothing. Pure, apart from the settings."""
    before, after = observation.boot_clock_before_query, observation.boot_clock_after_query
    low, high = observation.database_unix_time - after, observation.database_unix_time - before
    if state is None:
        return ClockState(boot_id(), before, low, high, observation.server)
    tolerated = compute_allowed_drift(abs(before - state.seen))
    forward, back = low - state.high, state.low - high
    if before <= state.seen:  # another process has read the clock later, and stored it first
        if max(forward, back) <= tolerated or state.until > after:
            return state
        return _suspended_state(state, observation, Code.CLOCK_BOTH)
    known = dataclasses.replace(state, server=state.server if observation.server is None else observation.server)
    new = dataclasses.replace(known, seen=before, low=low, high=high)
    if forward > tolerated:
        return _suspended_state(new, observation, Code.CLOCK_AHEAD, forward)
    if back > tolerated:
        return _suspended_state(new, observation, Code.CLOCK_BACK, back)
    if state.server and observation.server and state.server != observation.server:
        return _suspended_state(new, observation, Code.OTHER_SERVER)
    if high - low > max(MAX_PRECISE_READING_SECONDS, state.high - state.low):
        return known if known != state else state
    if known == state and before - state.seen < MIN_SECONDS_BETWEEN_STATE_WRITES:
        return state
    return new


def compute_allowed_drift(elapsed: float) -> float:
    """The tolerated drift between the clocks: too small for a lease to end before its holder's deadline."""
    drift = settings.drift_allowance.total_seconds()
    return max(drift, min(drift + elapsed * MAX_DRIFT_RATE, settings.lease_margin.total_seconds()))


def _suspended_state(state: ClockState, observation: ClockObservation, code: Code, jumped: float = 0.0) -> ClockState:
    """Starts are suspended for one lease plus the drift allowance, counted from the evaluation of the reading: the
    process may have slept for longer than that since the reading."""
    until = observation.boot_clock_after_query + _suspension_seconds()
    return dataclasses.replace(state, until=until, code=code.value, jump_seconds=round(jumped), unsettled=True)


def _suspension_seconds() -> float:
    return (settings.lease + settings.drift_allowance).total_seconds()


def read_clock_state() -> ClockState | None:
    """The stored state for the deciding database, if it was stored since this host booted."""
    if simulated_time.simulated_now() is not None:
        return _state_in_simulated_time()
    path = _state_path()
    try:
        found = path.stat(follow_symlinks=False)
        state = _load_state(path, found.st_ino, found.st_mtime_ns)
    except (OSError, ValueError, TypeError):  # no file, or one of another version or user
        return None
    return state if state.boot == boot_id() and state.seen <= boot_clock() else None


@functools.lru_cache(maxsize=1)
def _load_state(path: Path, inode: int, written_at: int) -> ClockState:
    """The content of this file, cached: a pass reads it more than ten times. Each write creates a new file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(f"{path} belongs to another user.")
        return ClockState(**json.load(file))


def _state_in_simulated_time() -> ClockState:
    """The state in simulated time: no reading differs from it."""
    return ClockState(boot_id(), boot_clock(), low=-math.inf, high=math.inf, server="")


def write_clock_state(state: ClockState) -> None:
    """Replace the stored state. Where nothing can be written, only the checks of the runtime directory report it."""
    if simulated_time.simulated_now() is not None:
        return
    path = _state_path()
    draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        ensure_private_directory(path.parent)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(dataclasses.asdict(state), file)
        draft.replace(path)
    except OSError as error:
        logger.info("The state of the database's clock was not stored: %s", error)
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _state_path() -> Path:
    return settings.runtime_dir / f"clock-{settings.database_digest}.json"

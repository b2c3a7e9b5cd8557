"""Notices when the database's clock jumps, and when another server answers than before.

Leases are counted by the database's clock, and their holders by a clock that nobody can set. Where the two part, a
lease that looks expired may be held. So from the moment at which a host notices, nothing expires and nothing starts
there for one lease: time enough for every holder anywhere to have renewed, or to have killed its command.

What is remembered stands in a file of this host, since a crontab's ticks are a new process each. *Limits:* a host that
remembers nothing (it has just booted, or is a new container) notices nothing; nor does anyone notice a jump that is
smaller than what two clocks may drift apart.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import time
from contextlib import nullcontext
from dataclasses import dataclass

from django.db import DatabaseError, connections, transaction
from django.db.models import Expression, TextField, Value

from chroniker.clock import clock_state
from chroniker.clock.database_clock import Server, database_now, database_now_and_server
from chroniker.conf import settings
from chroniker.process.kernel import boot_clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Glance:
    """The clocks of this host, just before the database is asked for its own."""

    boot: float
    wall: float


@dataclass(frozen=True, slots=True)
class Sight:
    """The database's clock, and how far this host's is from it. ``quiet``: why nothing may start or expire here for
    ``seconds`` more; empty where all is well."""

    now: dt.datetime
    skew: float
    quiet: str = ""
    seconds: float = 0.0


class Distrusted(Exception):
    """The database's clock cannot be trusted now: nothing may be decided by it."""

    def __init__(self, sight: Sight) -> None:
        super().__init__(sight.quiet)
        self.sight = sight


def glance() -> Glance:
    return Glance(boot_clock(), time.time())


def look() -> Sight:
    """Ask the database for its clock, and judge it. One statement, from the second time on."""
    memory = clock_state.read()
    before = glance()
    if memory is not None and memory.server == "":
        return judge(database_now(), None, before)
    using = settings.database
    was_seen_to_work = memory is not None and memory.server is not None
    may_spoil = connections[using].in_atomic_block and not was_seen_to_work
    try:
        with transaction.atomic(using=using) if may_spoil else nullcontext():
            now, server = database_now_and_server()
    except DatabaseError as error:
        before = glance()
        now, server = database_now(), ""  # raises if it was the database itself
        logger.info("The database does not say which server it is; its clock alone is watched. %s", error)
    return judge(now, server, before)


def trusted_now() -> dt.datetime:
    """The database's clock, for whoever decides by it: a look, which raises ``Distrusted`` where it jumped."""
    sight = look()
    if sight.quiet:
        raise Distrusted(sight)
    return sight.now


def server_asked() -> Expression:
    """A column for a statement that is due anyway: which server answers; empty where that is not known to work."""
    memory = clock_state.read()
    return Server() if memory and memory.server else Value("", TextField())


def judge(now: dt.datetime, server: str | None, before: Glance) -> Sight:
    """What a sight means, and remember it. ``before``: taken just before the database was asked."""
    after = glance()
    memory = clock_state.read()
    latest = clock_state.recall(memory, clock_state.Seen(now.timestamp(), before.boot, after.boot, server))
    if latest is not memory:
        clock_state.write(latest)
        if latest.until > (memory.until if memory else 0.0):
            logger.warning("%s Nothing starts and nothing expires here for %.0f s.", latest.why, latest.seconds_left)
    left = max(0.0, latest.until - after.boot)
    skew = (before.wall + after.wall) / 2 - now.timestamp()
    return Sight(now, skew, latest.why if left else "", left)


def quiet() -> str:
    """Why nothing may start here now, as far as it was noticed already; asks nobody."""
    memory = clock_state.read()
    return memory.why if memory and memory.seconds_left else ""


def is_unsettled() -> bool:
    """Whether the clock jumped, and no tick of this host has settled the leases since it was quiet for that."""
    memory = clock_state.read()
    return memory is not None and memory.unsettled


def settled() -> None:
    if (memory := clock_state.read()) is not None:
        clock_state.write(dataclasses.replace(memory, unsettled=False))


def is_news(skew: float) -> bool:
    """Whether this host's clock is off by much else than it last said; from now on this is what it said."""
    memory = clock_state.read()
    if memory is None:
        return False
    if memory.told_skew is not None and abs(skew - memory.told_skew) < clock_state.TELLING_SECONDS:
        return False
    clock_state.write(dataclasses.replace(memory, told_skew=skew))
    return True

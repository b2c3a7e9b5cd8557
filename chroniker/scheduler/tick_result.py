"""The result of one tick."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, Run
from chroniker.reasons import NO_REASON, Reason


@dataclass(slots=True)
class TickResult:
    """The changes by one tick."""

    began: dt.datetime | None = None  #: by the database's clock
    #: Returns the present time of the database; the clock of a pass needs no statement.
    clock: Callable[[], dt.datetime] = database_now
    next_moment: dt.datetime | None = None  #: when something becomes due next, as it was before the pass
    next_moment_is_known: bool = False  #: the pass has not changed the next due time

    claimed: list[Run] = field(default_factory=list)
    lost: list[Run] = field(default_factory=list)
    #: Jobs whose schedule cannot be computed.
    schedule_errors: list[tuple[Job, Exception]] = field(default_factory=list)
    dispatched_run_count: int = 0
    booked_job_count: int = 0
    suspended_because: Reason = NO_REASON  #: why the tick expired and claimed nothing
    job_ids_claimed_by_others: set[int] = field(default_factory=set)  #: of jobs for this host
    job_ids_over_run_limit: set[int] = field(default_factory=set)  #: of claimed jobs
    is_database_copied: bool = False  #: then the tick did nothing
    draining: bool = False  #: this host is draining: the tick claimed nothing
    has_messages_to_send: bool = False  #: the pass wrote them

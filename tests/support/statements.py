"""Count the SQL statements of a tick."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.models import installation
from chroniker.scheduler import fleet_work
from chroniker.scheduler.tick import tick


def do_regular_work() -> None:
    """Do the periodic work of the fleet, and record the database, so that the next tick has only the work of jobs."""
    fleet_work.do_due_periodic_work(fleet_work.PERIODIC_WORK_BY_NAME, database_now())
    installation.record_database_identity()


def statements_of_a_tick(claims: int) -> int:
    """The number of statements of a tick that claims this many runs, and has no regular work."""
    do_regular_work()
    with CaptureQueriesContext(connection) as statements:
        assert len(tick().claimed) == claims
    return len(statements)

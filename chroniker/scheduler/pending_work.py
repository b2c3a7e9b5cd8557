"""One statement that finds the steps of a tick that have work, and the next time at which something becomes due."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Exists, Expression, Subquery

from chroniker.clock import jump_detection, simulated_time
from chroniker.clock.database_clock import StatementNowPlus, clock_columns_sql, to_aware_utc
from chroniker.clock.jump_detection import ClockReading
from chroniker.conf import settings, settings_state
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import TICK_CLAIM_KINDS
from chroniker.models import Run, installation
from chroniker.models.statements import Statement
from chroniker.process.kernel import host_clock
from chroniker.scheduler import fleet_work
from chroniker.scheduler.claiming import ClaimSearch
from chroniker.scheduler.pending_work_queries import (
    columns_of_due_times,
    first_time_after,
    name_of_query_for_work_not_due,
    queries_for_pending_work,
)

#: A statement is compiled again after this time. Django needs longer to compile it than the database to answer it.
COMPILED_QUERY_LIFETIME_SECONDS = 60


@dataclass(frozen=True, slots=True)
class PendingWork:
    """The time of the database, and the steps of a pass that may have work. A pass leaves out the other steps.

    Such a step can still find nothing to do: jobs that are due but blocked count as work.
    """

    reading: ClockReading
    next_moment: dt.datetime | None  #: the next time at which something becomes due
    expiry: bool
    redispatch: bool
    claims_for_this_host: bool
    stops: bool
    edits: bool
    search: ClaimSearch
    messages: bool
    deletions: bool
    paused: bool
    is_database_copied: bool  #: this database is a copy: this pass must do nothing
    recorded: bool  #: the identity of this database is stored
    draining: bool  #: this host claims nothing
    alerts: bool  #: the alerts of a job are due for a check
    alert_changes: bool  #: settings, a group or a switch changed: the alerts of their jobs may change too
    fleet_work: Sequence[str] = field(default=())  #: names of the periodic work that is due

    @property
    def has_work_for_claims(self) -> bool:
        return self.edits or bool(self.search.kinds)

    @property
    def may_change_due_times(self) -> bool:
        """Whether some step may change when something becomes due."""
        alerts = self.alerts or self.alert_changes
        return (
            alerts
            or self.has_work_for_claims
            or self.expiry
            or self.redispatch
            or self.claims_for_this_host
            or self.stops
        )


def find_pending_work(now: dt.datetime | None = None) -> PendingWork:
    """Needs one statement, from the second pass of a host on. ``now``: replaces the time of the database, for tests."""
    if jump_detection.last_known_server() is None:
        jump_detection.read_clock()
    before = jump_detection.read_host_clocks()
    clock, server, upcoming, found = _query_pending_work(now)
    reading = jump_detection.evaluate_reading(clock, server or None, before)
    kinds = tuple(kind for kind in TICK_CLAIM_KINDS if found.pop(kind.name))
    search = ClaimSearch(kinds, may_replace_open_runs=found.pop("replaced"), check_groups=found.pop("groups"))
    regular = []
    for name in fleet_work.enabled_periodic_work():
        is_waiting, is_not_due = found.pop(name, True), found.pop(name_of_query_for_work_not_due(name))
        if is_waiting and not is_not_due:
            regular.append(name)
    return PendingWork(reading, upcoming, search=search, fleet_work=regular, **found)


class _CompiledStatement(NamedTuple):
    """The first two columns are the clock, then come ``columns_of_due_times``, then those in ``names``."""

    statement: Statement
    names: tuple[str, ...]
    n_moments: int


def _query_pending_work(now: dt.datetime | None) -> tuple[dt.datetime, str, dt.datetime | None, dict[str, bool]]:
    """The database's clock, the server, the next moment, and whether each query found a row."""
    if now is None:
        with simulated_time.compile_with_time_placeholder():
            compiled = _compile_queries_cached(*_statement_cache_key())
    else:
        compiled = _compile_queries(now)
    row = compiled.statement.fetch({})
    assert row is not None
    clock, server, *answers = row
    upcoming = [to_aware_utc(each) for each in answers[: compiled.n_moments] if each is not None]
    found = dict.fromkeys(compiled.names, False)
    for name, answer in zip(compiled.names, answers[compiled.n_moments :], strict=True):
        found[name] |= bool(answer)
    return to_aware_utc(clock), str(server), min(upcoming, default=None), found


def _statement_cache_key() -> tuple[Any, ...]:
    """All values that the text and the parameters of the statement depend on. The statement is compiled again when one
    of them changes. It is also compiled again from time to time, in case a value is missing here."""
    return (
        settings_state(),
        (settings.database, settings.hostname, settings.installation),
        (settings.drift_allowance, settings.check_lock_file),
        _clock_sql(),
        tuple(fleet_work.enabled_periodic_work()),
        due.zone_rules_version_of_this_host(),
        installation.read_database_identity_without_query(),
        host_clock.monotonic() // COMPILED_QUERY_LIFETIME_SECONDS,
    )


@functools.lru_cache(maxsize=4)
def _compile_queries_cached(*inputs: Any) -> _CompiledStatement:
    del inputs
    return _compile_queries(StatementNowPlus())


def _clock_sql() -> str:
    return clock_columns_sql(settings.database, with_server=bool(jump_detection.last_known_server()))


def _compile_queries(now: dt.datetime | Expression) -> _CompiledStatement:
    connection = connections[settings.database]
    compiler = Run.objects.all().query.get_compiler(connection=connection)
    times = [Subquery(first_time_after(rows, column, now)) for rows, column in columns_of_due_times()]
    searches = [
        (name, Exists(rows.order_by())) for name, each in queries_for_pending_work(now).items() for rows in each
    ]
    columns = [_clock_sql()]
    params: list[Any] = []
    for expression in [*times, *(exists for _name, exists in searches)]:
        sql, values = expression.as_sql(compiler, connection)
        columns.append(sql)
        params += values
    names = tuple(name for name, _exists in searches)
    statement = Statement(f"SELECT {', '.join(columns)}", params)  # nosec B608  # by Django
    return _CompiledStatement(statement, names, len(times))

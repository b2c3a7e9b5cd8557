"""One statement that finds the steps of a tick that have work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Exists, Expression, OuterRef, Q, QuerySet

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import StatementNow, aware, clock_columns
from chroniker.clock.jump_detection import ClockReading
from chroniker.conf import settings
from chroniker.eligibility import draining, due, pauses
from chroniker.eligibility.claim_kinds import OVERLAPPED, SCHEDULED, START_KINDS, TICK_KINDS
from chroniker.executors import executors
from chroniker.models import Group, Job, JobState, Lease, Outbox, Overlap, Run, Status, Switch, installation
from chroniker.scheduler import dispatch, fleet_work
from chroniker.scheduler.claiming import Search


@dataclass(frozen=True, slots=True)
class PendingWork:
    """The database's clock, and which steps of a pass may find something. A step without work is left out.

    A step that may find something can still find nothing: jobs that are due but blocked count as work.
    """

    reading: ClockReading
    expiry: bool
    redispatch: bool
    claims_for_this_host: bool
    stops: bool
    edits: bool
    search: Search
    messages: bool
    deletions: bool
    paused: bool
    copied: bool  #: this database is a copy: nothing may be done here
    recorded: bool  #: the identity of this database is stored
    draining: bool  #: this host claims nothing
    fleet_work: Sequence[str] = ()  #: names of the regular work that is due

    @property
    def claims(self) -> bool:
        return self.edits or bool(self.search.kinds)


def find(now: dt.datetime | None = None) -> PendingWork:
    """One statement, from the second pass of a host on. ``now``: instead of the database's time, for tests."""
    if jump_detection.known_server() is None:
        jump_detection.read_clock()
    before = jump_detection.read_host_clocks()
    clock, server, answers = _ask(_questions(now or StatementNow()))
    reading = jump_detection.evaluate(clock, server or None, before)
    found = {name: any(answers[key] for key in answers if key[0] == name) for name, _n in answers}
    kinds = tuple(kind for kind in TICK_KINDS if found.pop(kind.name))
    search = Search(kinds, replaced=found.pop("replaced"), groups=found.pop("groups"))
    regular = []
    for name in fleet_work.wanted():
        is_waiting, is_not_due = found.pop(name, True), found.pop(_not_due(name))
        if is_waiting and not is_not_due:
            regular.append(name)
    return PendingWork(reading, search=search, fleet_work=regular, **found)


def _not_due(name: str) -> str:
    return f"{name}: not due"


def _questions(now: dt.datetime | Expression) -> dict[tuple[str, int], QuerySet[Any]]:
    """For each step, the rows that give it work: supersets of the rows that the step reads, each with an index."""
    here = executors.here()
    overdue = Lease.objects.filter(expires_at__lt=StatementNow(-settings.drift_allowance))
    expiry = [overdue, Lease.objects.exclude(slot="").filter(nonce=None)]
    if settings.check_lock_file:
        expiry.append(Lease.objects.filter(run__status=Status.RUNNING, run__host=settings.hostname))
    claims: dict[str, list[QuerySet[Any]]] = {
        kind.name: [JobState.objects.filter(kind.pending(now), job__enabled=True)] for kind in START_KINDS
    }
    due_now = JobState.objects.filter(SCHEDULED.pending(now))
    switched_off = JobState.objects.filter(next_run__lte=now, job__enabled=False)
    is_open = Exists(Lease.objects.filter(job=OuterRef("pk"), slot=""))
    edited = Job.objects.filter(edited_at__isnull=False)
    steps: dict[str, list[QuerySet[Any]]] = {
        "expiry": expiry,
        "redispatch": [dispatch.claims_to_redispatch(now, here)],
        "claims_for_this_host": [dispatch.claims_left_for_this_host(here)],
        "stops": [Job.objects.filter(force_stop__in=[True])],
        "edits": [edited, switched_off, due.booked_by_older_zone_rules()],
        **claims,
        OVERLAPPED.name: [JobState.objects.filter(OVERLAPPED.pending(now), is_open)],
        "replaced": [due_now.filter(job__overlap=Overlap.REPLACE)],
        "groups": [Group.objects.filter(Q(paused_at__isnull=False) | Q(limit__isnull=False))],
        "messages": [Outbox.objects.filter(send_at__lte=now)],
        "deletions": [Job.objects.filter(deletion_requested_at__isnull=False, enabled=False)],
        "copied": [installation.copied()],
        "recorded": [installation.recorded()],
        "draining": [draining.draining_here()],
        "paused": [Switch.objects.filter(pk=pauses.ALL, paused_at__isnull=False)],
    }
    for name, work in fleet_work.wanted().items():
        steps[_not_due(name)] = [fleet_work.not_due(name, now)]
        if work.waiting is not None:
            steps[name] = [work.waiting()]
    return {(name, n): rows for name, all_rows in steps.items() for n, rows in enumerate(all_rows)}


def _ask(questions: dict[tuple[str, int], QuerySet[Any]]) -> tuple[dt.datetime, str, dict[tuple[str, int], bool]]:
    connection = connections[settings.database]
    compiler = Run.objects.all().query.get_compiler(connection=connection)
    columns = [clock_columns(settings.database, with_server=bool(jump_detection.known_server()))]
    params: list[Any] = []
    for rows in questions.values():
        sql, values = Exists(rows.order_by()).as_sql(compiler, connection)
        columns.append(sql)
        params += values
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)}", params)  # nosec B608  # compiled by Django
        clock, server, *found = cursor.fetchone()
    return aware(clock), str(server), {key: bool(each) for key, each in zip(questions, found, strict=True)}

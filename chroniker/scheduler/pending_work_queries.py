"""The queries for the work of a tick: for each kind of work, the rows that cause it. ``pending_work`` combines them in
one statement.

A new kind of work needs one line here, a field of ``PendingWork``, and a case in the test of all queries.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.models import Expression, Q, QuerySet

from chroniker.clock.database_clock import StatementNowPlus
from chroniker.conf import settings
from chroniker.eligibility import draining, due, pauses
from chroniker.eligibility.claim_kinds import OVERLAPPED, SCHEDULED, STARTING_CLAIM_KINDS
from chroniker.eligibility.waiting_activations import all_waiting_activations, possibly_late_activations
from chroniker.executors import executors
from chroniker.lifecycle import alert_watch
from chroniker.models import Group, Job, JobState, Lease, Outbox, Overlap, Status, Switch, installation
from chroniker.models.compiled import fetch_rows
from chroniker.scheduler import dispatch, fleet_work

QueriesByKindOfWork = Mapping[str, Sequence[QuerySet[Any]]]


def queries_for_pending_work(now: dt.datetime | Expression) -> QueriesByKindOfWork:
    """Querysets for each kind of work. A row in one of them means that there may be work. Each uses an index."""
    here = executors.in_process_executor_aliases()
    due_now = JobState.objects.filter(SCHEDULED.pending_condition(now))
    return {
        "expiry": _rows_to_expire(),
        "redispatch": [dispatch.claims_to_redispatch(now, here)],
        "claims_for_this_host": [dispatch.claims_that_need_this_host(here)],
        "stops": [Job.objects.filter(force_stop__in=[True])],
        "edits": [
            Job.objects.filter(edited_at__isnull=False),
            JobState.objects.filter(next_run__lte=now, job__enabled=False),
            due.jobs_booked_by_older_zone_rules(),
            all_waiting_activations().filter(target__enabled=False),
        ],
        **{
            kind.name: [JobState.objects.filter(kind.pending_condition(now), job__enabled=True)]
            for kind in STARTING_CLAIM_KINDS
        },
        OVERLAPPED.name: [JobState.objects.filter(OVERLAPPED.pending_condition(now), due.open_run_condition())],
        "replaced": [due_now.filter(job__overlap=Overlap.REPLACE)],
        "groups": [Group.objects.filter(Q(paused_at__isnull=False) | Q(limit__isnull=False))],
        "alerts": [JobState.objects.filter(alert_at__lte=now), possibly_late_activations(now)],
        "alert_changes": alert_watch.select_pauses_that_change_alerts(),
        "messages": [Outbox.objects.filter(send_at__lte=now)],
        "deletions": [Job.objects.filter(deletion_requested_at__isnull=False, enabled=False)],
        "is_database_copied": [installation.select_switch_if_copied()],
        "recorded": [installation.select_switch_with_identity()],
        "draining": [draining.select_this_host_if_draining()],
        "paused": [Switch.objects.filter(pk=pauses.SWITCH_ID, paused_at__isnull=False)],
        **_fleet_work_queries(now),
    }


def _rows_to_expire() -> list[QuerySet[Any]]:
    overdue = Lease.objects.filter(expires_at__lt=StatementNowPlus(-settings.drift_allowance))
    rows: list[QuerySet[Any]] = [overdue, Lease.objects.exclude(slot="").filter(nonce=None)]
    if settings.check_lock_file:
        rows.append(Lease.objects.filter(run__status=Status.RUNNING, run__host=settings.hostname))
    return rows


def _fleet_work_queries(now: dt.datetime | Expression) -> dict[str, list[QuerySet[Any]]]:
    rows: dict[str, list[QuerySet[Any]]] = {}
    for name, work in fleet_work.enabled_periodic_work().items():
        rows[name_of_query_for_work_not_due(name)] = [fleet_work.query_work_not_due(name, now)]
        if work.waiting_rows is not None:
            rows[name] = [work.waiting_rows()]
    return rows


def name_of_query_for_work_not_due(name: str) -> str:
    """The name of the query that has a row while this periodic work is not due. Without a row the work is due."""
    return f"{name}: not due"


def columns_of_due_times() -> list[tuple[QuerySet[Any], str]]:
    """The columns of the times at which something becomes due. Each has an index. ``loop`` wakes at the next time.

    Jobs that were disabled without the model class are included: the pass at that time books them.
    """
    claims = dispatch.claims_this_host_may_dispatch(executors.in_process_executor_aliases())
    columns = ("next_run", "retry_at", "backfill_at", "alert_at")
    return [*((JobState.objects.all(), column) for column in columns), (claims, "redispatch_at")]


def first_time_after(rows: QuerySet[Any], column: str, now: dt.datetime | Expression) -> QuerySet[Any]:
    """The first time in this column after ``now``, as a row. One query for each column, so that it uses an index."""
    return rows.filter(**{f"{column}__gt": now}).order_by(column).values(column)[:1]


def next_due_time(after: dt.datetime) -> dt.datetime | None:
    """The first time after ``after`` at which something of ``columns_of_due_times`` is due. One statement each."""
    here = tuple(executors.in_process_executor_aliases())
    found = [
        row[0]
        for number in range(len(columns_of_due_times()))
        for row in fetch_rows(_query_first_due_time, number, here, after=after)
    ]
    return min(found, default=None)


def _query_first_due_time(
    column_number: int, executor_aliases: Collection[str], after: dt.datetime
) -> QuerySet[Any, Any]:
    del executor_aliases  # part of the statement's text
    return first_time_after(*columns_of_due_times()[column_number], after).values_list(
        columns_of_due_times()[column_number][1]
    )

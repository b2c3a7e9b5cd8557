"""Finds due jobs by SQL. Read-only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from chroniker.clock.database_clock import NowPlus, StatementNowPlus
from chroniker.eligibility import claim_kinds, dependencies
from chroniker.eligibility import groups as group_limits
from chroniker.eligibility.claim_kinds import (
    BACKFILL,
    RETRY,
    SCHEDULED,
    STARTING_CLAIM_KINDS,
    URGENT_CLAIM_KINDS,
    ClaimKind,
    any_kind_pending_condition,
)
from chroniker.eligibility.waiting_activations import all_waiting_activations
from chroniker.models import Group, Job, JobDependency, JobState, JobTrigger, Lease, Outbox, Overlap, Run, Trigger
from chroniker.models.compiled import ColumnInIds, QueryParameter, fetch_rows
from chroniker.models.light_rows import STATE_JOB_AND_GROUP_COLUMNS, make_job_states
from chroniker.models.statements import Statement, cache_compiled_statement, make_select, statement_parameter
from chroniker.schedule.zones import zone_rules_version

# One query for each kind: "next_run <= now OR force_run" would lose the index on a large table.


class ExistsWithoutJoin(Exists):
    """EXISTS that PostgreSQL does not turn into a join: it looks each row up in a hash table, or in an index.

    Leases change too fast for the statistics. If the statistics say that there are no leases, a join compares each due
    job with each lease: 25 ms for 500 of each.
    """

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        sql, params = super().as_sql(compiler, connection, **context)
        return f"({sql} IS TRUE)", params


def find_due_jobs(
    kind: ClaimKind, now: dt.datetime, only_jobs: Collection[int] | None = None, *, check_groups: bool = True
) -> QuerySet[JobState]:
    """Jobs for which a claim of this kind is pending and nothing blocks it, the longest waiting first.

    Each state carries its job and group. ``check_groups``: false if no group is paused or full. This function does not
    check the pause over all jobs: a tick reads it once, and each claim checks it again under its locks.
    """
    return _due_states(kind, now, only_jobs, _paused_or_full_groups(kind, now) if check_groups else [])


def open_run_condition(*, of_backfills: bool = True) -> ExistsWithoutJoin:
    """SQL condition on JobState: the job has an open run. ``of_backfills``: also if it is a run of a backfill."""
    leases = Lease.objects.filter(job=OuterRef("pk"), slot="")
    return ExistsWithoutJoin(leases if of_backfills else leases.exclude(run__origin=Trigger.BACKFILL))


def _paused_or_full_groups(kind: ClaimKind, now: dt.datetime) -> list[int]:
    """The groups whose jobs this kind does not claim now."""
    if kind.while_run_is_open:
        return group_limits.read_paused_group_ids()
    blocked_group_ids = group_limits.read_paused_or_full_group_ids()
    return [*blocked_group_ids, *find_groups_with_urgent_work(now)] if kind is BACKFILL else blocked_group_ids


def _due_states(
    kind: ClaimKind,
    now: dt.datetime,
    only_jobs: Collection[int] | QueryParameter | None,
    blocked_group_ids: Collection[int] | QueryParameter,
) -> QuerySet[JobState]:
    # During a run of a backfill the instants wait, whatever the overlap policy is.
    has_open_run = open_run_condition(of_backfills=not kind.while_run_is_open)
    states = JobState.objects.filter(kind.pending_condition(now), job__enabled=True).select_related("job__group")
    states = states.defer("recent_seconds")
    if only_jobs is not None:
        states = states.filter(ColumnInIds("pk", only_jobs))
    states = states.filter(has_open_run if kind.while_run_is_open else ~has_open_run)
    states = states.filter(
        group_limits.not_in_groups_condition(blocked_group_ids),
        ~dependencies.blocked_by_dependency_condition(kind.dependencies),
    )
    if kind is RETRY:
        states = states.annotate(
            **{f"failed_{name}": _column_of_latest_attempt(name) for name in claim_kinds.COLUMNS_COPIED_TO_RETRIES}
        )
    return states.order_by(*filter(None, [kind.due_field]), "pk")


def read_due_states(
    kind: ClaimKind,
    now: dt.datetime,
    only_jobs: Collection[int] | None = None,
    *,
    check_groups: bool = True,
    limit: int,
) -> list[JobState]:
    """The first ``limit`` rows of ``find_due_jobs``, with job and group, without the columns that no claim needs.

    One statement; one or two more if ``check_groups`` is true.
    """
    given = {} if only_jobs is None else {"only_jobs": list(only_jobs)}
    if check_groups and (blocked_group_ids := _paused_or_full_groups(kind, now)):
        given["blocked_group_ids"] = blocked_group_ids
    return make_job_states(fetch_rows(_due_rows, kind, limit, now=now, **given), _columns_of_failed_attempt(kind))


def _due_rows(
    kind: ClaimKind,
    limit: int,
    now: dt.datetime,
    only_jobs: Collection[int] | QueryParameter | None = None,
    blocked_group_ids: Collection[int] | QueryParameter = (),
) -> QuerySet[JobState, Any]:
    return _due_states(kind, now, only_jobs, blocked_group_ids).values_list(
        *STATE_JOB_AND_GROUP_COLUMNS, *_columns_of_failed_attempt(kind)
    )[:limit]


def _columns_of_failed_attempt(kind: ClaimKind) -> list[str]:
    return [f"failed_{name}" for name in claim_kinds.COLUMNS_COPIED_TO_RETRIES] if kind is RETRY else []


def find_groups_with_urgent_work(now: dt.datetime) -> list[int]:
    """The groups with a limit that have a due job. A backfill of the group waits, so that this job gets the place."""
    return [pk for (pk,) in fetch_rows(_rows_of_urgent_groups, now=now)]


def _rows_of_urgent_groups(now: dt.datetime) -> QuerySet[Group, Any]:
    urgent = JobState.objects.filter(
        any_kind_pending_condition(now, URGENT_CLAIM_KINDS), ~open_run_condition(), job__group=OuterRef("pk")
    )
    waiting = Exists(urgent.filter(job__enabled=True))
    return Group.objects.filter(waiting, limit__isnull=False).order_by("pk").values_list("pk")


def _column_of_latest_attempt(name: str) -> Subquery:
    """A column of the attempt that failed: the last one of the retry's chain."""
    attempts = Run.objects.filter(job=OuterRef("pk"), slot="", chain=OuterRef("retry_of"))
    return Subquery(attempts.order_by("-token").values(name)[:1])


def find_blocking_dependencies(now: dt.datetime, limit: int) -> set[tuple[int, int]]:
    """The pairs (dependent, dependee) where the dependent is due and must wait for the dependee. One statement."""
    pairs = []
    for kind in STARTING_CLAIM_KINDS:
        waiting = JobState.objects.filter(kind.pending_condition(now), ~open_run_condition(), job__enabled=True)
        pairs.append(
            dependencies.unfulfilled_dependencies(kind.dependencies, waiting).values_list("dependent", "dependee")
        )
    return set(pairs[0].union(*pairs[1:])[:limit])


def are_claims_and_messages_due_after_run(job_id: int) -> tuple[bool, bool]:
    """Whether a claim is pending that may start now, after the end of a run of this job; and whether a message is due.

    One statement. A pending claim may still be blocked, for example by another dependency.
    """
    row = _make_due_work_statement().fetch({"job": job_id})
    assert row is not None
    return bool(row[0]), bool(row[1])


@cache_compiled_statement
def _make_due_work_statement() -> Statement:
    job = statement_parameter("job")
    with_limit = Job.objects.filter(pk=job, group__limit__isnull=False).values("group")
    others = [
        make_select(JobDependency.objects.filter(dependee=job).order_by().values("dependent")),
        make_select(JobTrigger.objects.filter(source=job).order_by().values("target")),
        make_select(Job.objects.filter(group__in=with_limit).order_by().values("pk")),
    ]
    pending = make_select(
        JobState.objects.filter(any_kind_pending_condition(StatementNowPlus())).order_by().values("pk")
    )
    messages = make_select(Outbox.objects.filter(send_at__lte=StatementNowPlus()).order_by().values("pk"))
    # One condition for all of these jobs: with four conditions, the database took longer to plan than to answer.
    jobs = " UNION ALL ".join(["SELECT %s", *(each.sql for each in others)])
    waiting = f"SELECT 1 FROM jobs JOIN ({pending.sql}) pending ON pending.pk = jobs.id"  # nosec B608  # by Django
    return Statement(
        f"WITH jobs (id) AS ({jobs}) SELECT EXISTS ({waiting}), EXISTS ({messages.sql})",  # nosec B608
        [job, *(value for each in (*others, pending, messages) for value in each.params)],
    )


def find_jobs_with_pending_work(job_ids: Collection[int]) -> list[int]:
    """The jobs of this short list with something to start now, blocked or not. One statement."""
    return list(
        JobState.objects.filter(any_kind_pending_condition(NowPlus()), pk__in=job_ids).values_list("pk", flat=True)
    )


def find_pending_jobs_in_group_of_job(job_id: int, limit: int) -> list[int]:
    """The jobs of this job's group that have something to start now, the longest waiting first. One statement.

    Returns no job if the group has no limit: only with a limit can the end of a run make room for others.
    """
    group = Job.objects.filter(pk=job_id, group__limit__isnull=False).values("group")
    others = JobState.objects.filter(any_kind_pending_condition(NowPlus()), job__group__in=group).order_by(
        "next_run", "pk"
    )
    return list(others.values_list("pk", flat=True)[:limit])


def find_leases_of_runs_to_replace(now: dt.datetime, only_jobs: Collection[int] | None = None) -> QuerySet[Lease]:
    """Leases of runs that their job's next instant replaces (overlap policy REPLACE), without a stop request.

    Only runs of the schedule and their retries are replaced.
    """
    leases = Lease.objects.filter(
        group_limits.not_in_groups_condition(group_limits.read_paused_group_ids()),
        job__in=JobState.objects.filter(SCHEDULED.pending_condition(now)).values("pk"),
        job__enabled=True,
        job__overlap=Overlap.REPLACE,
        run__stop_requested_at=None,
        run__origin=Trigger.SCHEDULE,
        slot="",
    )
    return leases if only_jobs is None else leases.filter(job__in=only_jobs)


def find_jobs_to_book(now: dt.datetime, limit: int, only_jobs: Collection[int] | None = None) -> list[int]:
    """At most ``limit`` jobs that must be booked again: edited jobs, jobs that were disabled by a write without the
    model, or while an activation was inserted, and jobs that were booked by older rules of time zones."""
    edited = Job.objects.filter(edited_at__isnull=False).order_by("edited_at", "pk")
    disabled = JobState.objects.filter(next_run__lte=now, job__enabled=False).order_by("next_run", "pk")
    ids: list[int] = []
    passed = Job.objects.filter(enabled=False, pk__in=all_waiting_activations().values("target")).order_by("pk")
    for rows in (edited, disabled, passed, jobs_booked_by_older_zone_rules().order_by("booked_zone_rules", "pk")):
        if only_jobs is not None:
            rows = rows.filter(pk__in=only_jobs)
        if len(ids) < limit:
            ids += rows.exclude(pk__in=ids).values_list("pk", flat=True)[: limit - len(ids)]
    return ids


def zone_rules_version_of_this_host() -> str:
    """The version of this host's time zone database, with which ``jobs_booked_by_older_zone_rules`` compares."""
    return zone_rules_version()


def jobs_booked_by_older_zone_rules() -> QuerySet[JobState]:
    """Jobs that were booked by an older time zone database than this host's. Hosts with an older database skip them."""
    return JobState.objects.filter(booked_zone_rules__lt=zone_rules_version())

"""The filters of the list of jobs: for each group of states a condition that uses indexes, and a count of its jobs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Model, Q, QuerySet

from chroniker.eligibility import due, pauses
from chroniker.eligibility import groups as group_limits
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.insights import health_facts
from chroniker.insights.capped_counts import CountUpTo
from chroniker.insights.distinct_values import fetch_distinct_values
from chroniker.models import Group, Job, JobState, Lease, Run, Status, Tag
from chroniker.models.compiled import ColumnInIds, QueryParameter, fetch_rows

TimeValue = dt.datetime | QueryParameter  #: a query that is compiled once gets the value later
#: Numbers above this one are not counted.
MAX_JOBS_COUNTED = 1_000
#: A queued run that no worker has taken for this long needs attention.
STUCK_AFTER = dt.timedelta(minutes=2)
#: A job ran on a host if it has a run there that was claimed within this time.
RAN_ON_HOST_WITHIN = dt.timedelta(days=1)
#: Groups of states whose jobs all need attention, run or wait.
ACTIVE_VALUES_OF_SHOW_FILTER = ("attention", "running", "waiting", "overdue", "failing", "held")
#: Of the runs of a host, the newest ones are searched.
MAX_RUNS = 2_000
#: The names of all groups of states, in the order of the chips.
VALUES_OF_SHOW_FILTER = ("all", *ACTIVE_VALUES_OF_SHOW_FILTER, "never", "disabled")


@dataclass(frozen=True, slots=True)
class JobFilter:
    """``show``: one of ``VALUES_OF_SHOW_FILTER``. Empty texts do not restrict."""

    show: str = "all"
    search: str = ""
    group: str = ""
    queue: str = ""
    executor: str = ""
    command: str = ""
    owner: str = ""
    tag: str = ""
    host: str = ""

    @property
    def is_empty(self) -> bool:
        return self == JobFilter()


@dataclass(frozen=True)
class JobConditions:
    """The conditions on Job at ``now``.

    Each condition searches in ids that come from an index: one "OR" over two tables would read all jobs. ``enabled`` is
    checked only for the jobs that were found: a join with the states would read all jobs too.
    ``blocked_group_ids``: the groups that are paused or full.
    """

    now: TimeValue
    overdue_before: TimeValue
    stuck_before: TimeValue
    is_paused: bool
    blocked_group_ids: tuple[int, ...]

    def condition_of_show_filter(self, name: str) -> Q:
        found: Q = Q() if name == "all" else getattr(self, name)
        return found

    @cached_property
    def attention(self) -> Q:
        return _any_state_or_lease_condition(
            self._states_in_trouble, self._queued_leases.filter(run__claimed_at__lt=self.stuck_before)
        )

    @cached_property
    def running(self) -> Q:
        return Q(pk__in=_job_ids_of(_leases_of_open_runs().filter(run__status=Status.RUNNING)))

    @cached_property
    def waiting(self) -> Q:
        return _any_state_or_lease_condition(self._pending_states, self._queued_leases)

    @cached_property
    def overdue(self) -> Q:
        # DISTINCT: else PostgreSQL joins its tables with all jobs, in the order in which they are written.
        return Q(pk__in=_job_ids_of(self._overdue_states).distinct())

    @cached_property
    def failing(self) -> Q:
        return _any_state_or_lease_condition([JobState.objects.filter(failing_since__isnull=False)])

    @cached_property
    def held(self) -> Q:
        return _any_state_or_lease_condition([JobState.objects.filter(held_at__isnull=False)])

    @cached_property
    def never(self) -> Q:
        booked = JobState.objects.filter(last_status="").exclude(pk__in=_leases_of_open_runs().values("job"))
        return Q(pk__in=booked.order_by().values("pk").union(ids_of_jobs_without_state()))

    @cached_property
    def disabled(self) -> Q:
        return Q(enabled__in=[False])  # SQLite would use no index for a condition that is the column alone

    @cached_property
    def unplanned(self) -> Q:
        disabled = Job.objects.filter(self.disabled).order_by().values("pk")
        without_next_run = JobState.objects.filter(next_run=None).order_by().values("pk")
        return Q(pk__in=disabled.union(ids_of_jobs_without_state(), without_next_run))

    @cached_property
    def active(self) -> Q:
        """Jobs that need attention, run, or wait: the first two sections of the list."""
        return _any_state_or_lease_condition([*self._states_in_trouble, *self._pending_states], _leases_of_open_runs())

    @property
    def _states_in_trouble(self) -> tuple[QuerySet[JobState], ...]:
        states = JobState.objects.all()
        failing, broken = states.filter(failing_since__isnull=False), states.filter(schedule_error_since__isnull=False)
        return failing, broken, states.filter(held_at__isnull=False), self._overdue_states

    @property
    def _pending_states(self) -> tuple[QuerySet[JobState], ...]:
        due_now = JobState.objects.filter(next_run__lte=self.now, held_at=None)
        retrying = JobState.objects.filter(retry_at__isnull=False)
        return due_now.exclude(pk__in=_leases_of_open_runs().values("job")), retrying

    @property
    def _queued_leases(self) -> QuerySet[Lease]:
        return _leases_of_open_runs().filter(run__status=Status.CLAIMED)

    @property
    def _overdue_states(self) -> QuerySet[JobState]:
        if self.is_paused:
            return JobState.objects.none()
        overdue = due.find_due_jobs(SCHEDULED, self.overdue_before, check_groups=False)  # type: ignore[arg-type]
        return overdue.filter(group_limits.not_in_groups_condition(self.blocked_group_ids))


def fetch_job_conditions(now: dt.datetime) -> JobConditions:
    """At most two statements besides those of the health, which are cached: the pause, and groups without room."""
    overdue_before = now - health_facts.get_cached_overdue_threshold(now)
    is_paused = pauses.global_pause() is not None
    blocked_group_ids = () if is_paused else tuple(group_limits.read_paused_or_full_group_ids())
    return JobConditions(now, overdue_before, now - STUCK_AFTER, is_paused, blocked_group_ids)


def _leases_of_open_runs() -> QuerySet[Lease]:
    return Lease.objects.filter(slot="")


def ids_of_jobs_without_state() -> QuerySet[Any]:
    """The ids of jobs that were never booked."""
    return Job.objects.filter(edited_at__isnull=False, state=None).order_by().values("pk")


def _any_state_or_lease_condition(states: Iterable[QuerySet[JobState]], leases: QuerySet[Lease] | None = None) -> Q:
    """The enabled jobs of any of these states, and the jobs of these leases. One union, so that it uses the indexes."""
    parts = [_job_ids_of(each) for each in states]
    if leases is None:
        return Q(pk__in=parts[0].union(*parts[1:]) if len(parts) > 1 else parts[0], enabled=True)
    return Q(pk__in=parts[0].union(*parts[1:], _job_ids_of(leases))) & (Q(enabled=True) | Q(pk__in=_job_ids_of(leases)))


def _job_ids_of(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.order_by().values_list("job", flat=True)


def matching_jobs(job_filter: JobFilter, conditions: JobConditions) -> QuerySet[Job]:
    found = Job.objects.filter(conditions.condition_of_show_filter(job_filter.show))
    equal = {
        "group__name": job_filter.group, "queue": job_filter.queue, "executor": job_filter.executor,
        "command": job_filter.command, "owner": job_filter.owner, "tags__name": job_filter.tag,
    }  # fmt: skip
    found = found.filter(**{name: value for name, value in equal.items() if value})
    if job_filter.host:
        found = found.filter(ColumnInIds("pk", _job_ids_on_host(job_filter.host, conditions.now - RAN_ON_HOST_WITHIN)))
    return found.filter(_search_condition(found, job_filter.search.split())) if job_filter.search else found


def _job_ids_on_host(host: str, since: Any) -> set[int]:
    """The jobs that ran there lately, by its newest runs, or that may run nowhere else. Two statements."""
    runs = Run.objects.filter(host=host, claimed_at__gt=since).order_by("-claimed_at")
    bound = Job.objects.filter(hostname=host).order_by()
    return {*runs.values_list("job", flat=True)[:MAX_RUNS], *bound.values_list("pk", flat=True)[:MAX_RUNS]}


def _search_condition(jobs: QuerySet[Job], words: Sequence[str]) -> Q:
    """The jobs that contain all words. If they are few, their ids are read here: otherwise each part of the list would
    search all jobs again. At most one statement."""
    condition = Q()
    for word in words:
        condition &= _word_condition(word)
    ids = list(jobs.filter(condition).order_by("name").values_list("pk", flat=True)[: MAX_JOBS_COUNTED + 1])
    return condition if len(ids) > MAX_JOBS_COUNTED else Q(pk__in=ids)


def _word_condition(word: str) -> Q:
    condition = Q()
    for field in ("name", "command", "raw_command", "args", "owner"):
        condition |= Q(**{f"{field}__icontains": word})
    return condition | Q(pk__in=Job.tags.through._default_manager.filter(tag__name=word.lower()).values("job"))


def count_jobs_by_show_filter(conditions: JobConditions) -> dict[str, int]:
    """By the names of ``VALUES_OF_SHOW_FILTER``. One statement."""
    moments = {name: getattr(conditions, name) for name in ("now", "overdue_before", "stuck_before")}
    rows = fetch_rows(_job_counts_query, conditions.is_paused, conditions.blocked_group_ids, **moments)
    return dict(zip(VALUES_OF_SHOW_FILTER, rows[0], strict=True)) if rows else dict.fromkeys(VALUES_OF_SHOW_FILTER, 0)


def _job_counts_query(is_paused: bool, blocked_group_ids: tuple[int, ...], **moments: TimeValue) -> QuerySet[Job, Any]:
    """One row; none without jobs."""
    conditions = JobConditions(**moments, is_paused=is_paused, blocked_group_ids=blocked_group_ids)
    selected = {name: conditions.condition_of_show_filter(name) for name in VALUES_OF_SHOW_FILTER}
    numbers = {
        f"n_{name}": CountUpTo(Job.objects.filter(chosen), MAX_JOBS_COUNTED + 1) for name, chosen in selected.items()
    }
    return Job.objects.annotate(**numbers).order_by("pk").values_list(*numbers)[:1]


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """The values that the selects offer."""

    groups: list[str]
    queues: list[str]
    executors: list[str]
    commands: list[str]
    owners: list[str]
    tags: list[str]
    hosts: list[str]


def fetch_filter_choices(now: dt.datetime) -> FilterChoices:
    """One statement for the groups, the queues, executors, commands and owners of jobs, and tags. The hosts are those
    of the health, which is cached."""
    of_jobs = [(Job, name) for name in ("queue", "executor", "command", "owner")]
    columns: list[tuple[type[Model], str]] = [(Group, "name"), *of_jobs, (Tag, "name")]
    facts = health_facts.get_cached_health_facts(now)
    found = [*fetch_distinct_values(columns), [host.name for host in facts.hosts] if facts else []]
    return FilterChoices(*(sorted(values, key=str.casefold) for values in found))

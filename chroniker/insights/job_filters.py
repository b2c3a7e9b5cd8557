"""Which jobs a list shows: their groups of states, as conditions that use indexes, and their numbers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, IntegerField, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast

from chroniker.eligibility import due, pauses
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.insights import health_facts
from chroniker.models import Group, Host, Job, JobState, Lease, Run, Status

#: Numbers above this one are not counted.
MOST_COUNTED = 1_000
#: A queued run that no worker has taken for this long needs attention.
STUCK_AFTER = dt.timedelta(minutes=2)
#: A job ran on a host if it has a run there that was claimed within this time.
RAN_WITHIN = dt.timedelta(days=1)
#: Groups of states whose jobs all need attention, run or wait.
ACTIVE = ("attention", "running", "waiting", "overdue", "failing", "held")
#: The names of all groups of states, in the order of the chips.
SHOWS = ("all", *ACTIVE, "never", "disabled")


@dataclass(frozen=True, slots=True)
class JobFilter:
    """``show``: one of ``SHOWS``. Empty texts do not restrict."""

    show: str = "all"
    search: str = ""
    group: str = ""
    queue: str = ""
    executor: str = ""
    command: str = ""
    host: str = ""

    @property
    def is_empty(self) -> bool:
        return self == JobFilter()


class Conditions:
    """The conditions on Job at ``now``. Makes at most two statements besides those of the health, which are cached: the
    pause, and groups without room.

    Each is a search among the ids that an index gives: one "OR" over two tables would read all jobs.
    """

    def __init__(self, now: dt.datetime) -> None:
        self.now = now
        overdue_before = now - health_facts.cached_overdue_after(now)
        is_paused = pauses.global_pause() is not None
        on = JobState.objects.filter(job__enabled=True)
        overdue = JobState.objects.none() if is_paused else due.find(SCHEDULED, overdue_before)
        open_runs = Lease.objects.filter(slot="")
        running = open_runs.filter(run__status=Status.RUNNING)
        queued = open_runs.filter(run__status=Status.CLAIMED)
        stuck = queued.filter(run__claimed_at__lt=now - STUCK_AFTER)
        held = on.filter(held_at__isnull=False)
        due_now = on.filter(next_run__lte=now, held_at=None).exclude(pk__in=open_runs.values("job"))
        retrying = on.filter(retry_at__isnull=False)
        failing = on.filter(failing_since__isnull=False)
        broken = on.filter(schedule_error_since__isnull=False)
        attention, waiting = (failing, broken, held, overdue, stuck), (queued, due_now, retrying)
        self.attention = _any_of(*attention)
        self.running = _any_of(running)
        self.waiting = _any_of(*waiting)
        self.overdue = _any_of(overdue)
        self.failing = _any_of(failing)
        self.held = _any_of(held)
        never = JobState.objects.filter(last_status="").exclude(pk__in=open_runs.values("job")).order_by().values("pk")
        self.never = Q(pk__in=never.union(jobs_without_state()))
        # SQLite looks up no index for a column that stands alone as a condition.
        disabled = Job.objects.filter(enabled__in=[False]).values("pk")
        without_next_run = JobState.objects.filter(next_run=None).values("pk")
        self.disabled = Q(pk__in=disabled)
        self.unplanned = Q(pk__in=disabled.order_by().union(jobs_without_state(), without_next_run.order_by()))
        #: Those of the first two bands: they need attention, run, or wait.
        self.active = _any_of(*attention, running, *waiting)

    def shown(self, name: str) -> Q:
        found: Q = Q() if name == "all" else getattr(self, name)
        return found


def jobs_without_state() -> QuerySet[Any]:
    """The ids of jobs that were never booked."""
    return Job.objects.filter(edited_at__isnull=False, state=None).order_by().values("pk")


def _any_of(*rows: QuerySet[Any]) -> Q:
    """The jobs of any of these states and leases. As one union, which uses their indexes; an OR reads all jobs."""
    first, *others = (each.order_by().values_list("job", flat=True) for each in rows)
    return Q(pk__in=first.union(*others) if others else first)


def matching(chosen: JobFilter, conditions: Conditions) -> QuerySet[Job]:
    found = Job.objects.filter(conditions.shown(chosen.show))
    equal = {
        "group__name": chosen.group, "queue": chosen.queue, "executor": chosen.executor, "command": chosen.command,
    }  # fmt: skip
    found = found.filter(**{name: value for name, value in equal.items() if value})
    if chosen.host:
        since = conditions.now - RAN_WITHIN
        runs = Run.objects.filter(host=chosen.host, claimed_at__gt=since).values("job")
        found = found.filter(Q(pk__in=runs) | Q(hostname=chosen.host))
    for word in chosen.search.split():
        found = found.filter(_contains(word))
    return found


def _contains(word: str) -> Q:
    condition = Q()
    for field in ("name", "command", "raw_command", "args"):
        condition |= Q(**{f"{field}__icontains": word})
    return condition


class CountUpTo(Subquery):
    """The number of rows, at most ``MOST_COUNTED`` and one more."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any]) -> None:
        super().__init__(rows.order_by().values("pk")[: MOST_COUNTED + 1])


def counts(conditions: Conditions) -> dict[str, int]:
    """By the names of ``SHOWS``. One statement."""
    numbers = {f"n_{name}": CountUpTo(Job.objects.filter(conditions.shown(name))) for name in SHOWS}
    row = Job.objects.annotate(**numbers).order_by("pk").values(*numbers).first() or {}
    return {name: row.get(f"n_{name}", 0) for name in SHOWS}


@dataclass(frozen=True, slots=True)
class Choices:
    """The values that the selects offer."""

    groups: list[str]
    queues: list[str]
    executors: list[str]
    commands: list[str]
    hosts: list[str]


def choices(now: dt.datetime) -> Choices:
    """One statement: the groups, the hosts of the last day, and the queues, executors and commands of jobs."""
    rows = _values("group", Group.objects.all(), "name").union(
        _values("host", Host.objects.filter(last_seen__gt=now - RAN_WITHIN), "name"),
        *(_values(field, Job.objects.exclude(**{field: ""}), field) for field in ("queue", "executor", "command")),
    )
    rows = rows.order_by()  # Django 6.1 gives a union the order of its first model, whose columns it does not have
    found: dict[str, list[str]] = {}
    for kind, value in rows:
        found.setdefault(kind, []).append(value)
    names = ("group", "queue", "executor", "command", "host")
    return Choices(*(sorted(found.get(name, ()), key=str.casefold) for name in names))


def _values(kind: str, rows: QuerySet[Any], field: str) -> Any:
    text = Cast(Value(kind), CharField(max_length=20))
    named = rows.order_by().annotate(kind=text, found=Cast(field, CharField(max_length=200)))
    return named.values_list("kind", "found").distinct()

"""What happened to one run: its attempts, events and messages, and while it is queued the workers that may take it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery

from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.models import EVERY_HOST, FAILURE_STATUSES, HostService, JobState, Lease, Outbox, Run, RunEvent, Status

#: Events that are read. Each repeated delivery adds one.
MAX_EVENTS = 100
#: Messages that are read.
MAX_MESSAGES = 20
#: The attempts of a chain, and runs with the same error, are searched among this many runs of the job.
MAX_LATER_RUNS = 100
MAX_EARLIER_RUNS = 500
#: How far back runs with the same error are counted.
SAME_ERROR_SPAN = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class NeighbourRun:
    """The run before or after this one, by token, in the same job."""

    pk: UUID
    token: int


@dataclass(frozen=True, slots=True)
class RunDetails:
    """A run with its job, and what belongs to it, at ``now``."""

    run: Run
    now: dt.datetime
    lease: Lease | None  #: while it is open
    state: JobState
    previous: NeighbourRun | None
    next: NeighbourRun | None
    attempts: list[Run]  #: of its chain, itself included, in the order of the attempts
    events: list[RunEvent]
    messages: list[Outbox]
    host_runs: list[Run] = field(default_factory=list)  #: of a run on every host: the run of each host
    workers: list[HostService] = field(default_factory=list)  #: live workers of its executor, while it is queued
    same_error_count: int = 0  #: other runs of the last days that ended with the same error line

    @property
    def retry(self) -> Run | None:
        """The next attempt of its chain."""
        return next((each for each in self.attempts if each.token > self.run.token), None)

    @property
    def is_last_of_job(self) -> bool:
        """Whether no later attempt of the job was claimed, so that a booked retry is a retry of this run."""
        return self.run.token == self.state.last_token

    @property
    def possible_workers(self) -> list[HostService]:
        """The live workers that may take it: those that consume its queue and are on the required host."""
        return [
            worker
            for worker in self.workers
            if (not worker.queues or not self.run.queue or self.run.queue in worker.queues)
            and self.run.required_host in ("", worker.host.name)
        ]


def fetch_run(run_id: UUID) -> Run | None:
    """The run with its job, group, state, lease, parent, neighbours, and the run that triggered it. One statement."""
    others, cause = Run.objects.filter(job=OuterRef("job")), Run.objects.filter(pk=OuterRef("cause"))
    before = others.filter(token__lt=OuterRef("token")).order_by("-token")
    after = others.filter(token__gt=OuterRef("token")).order_by("token")
    return (
        Run.objects.filter(pk=run_id)
        .select_related("job__group", "job__state", "lease", "parent")
        .annotate(
            now=NowPlus(),
            cause_job=Subquery(cause.values("job__name")[:1]),
            cause_token=Subquery(cause.values("token")[:1]),
            previous_pk=Subquery(before.values("pk")[:1]),
            previous_token=Subquery(before.values("token")[:1]),
            next_pk=Subquery(after.values("pk")[:1]),
            next_token=Subquery(after.values("token")[:1]),
        )
        .first()
    )


def fetch_run_details(run_id: UUID) -> RunDetails | None:
    """At most six statements, however long the history of the run and its job is. ``None``: there is no such run."""
    run = fetch_run(run_id)
    if run is None:
        return None
    extra: dict[str, Any] = run.__dict__
    now = extra["now"]
    return RunDetails(
        run=run,
        now=now,
        lease=getattr(run, "lease", None),
        state=getattr(run.job, "state", None) or JobState(job=run.job),
        previous=_make_neighbour_run(extra["previous_pk"], extra["previous_token"]),
        next=_make_neighbour_run(extra["next_pk"], extra["next_token"]),
        attempts=_fetch_attempts(run),
        events=list(run.events.order_by("-pk")[:MAX_EVENTS])[::-1],
        messages=list(run.messages.order_by("pk")[:MAX_MESSAGES]),
        host_runs=list(run.children.order_by("required_host")) if run.required_host == EVERY_HOST else [],
        workers=_fetch_workers(run) if run.status == Status.CLAIMED else [],
        same_error_count=_count_runs_with_same_error(run, now)
        if run.status in FAILURE_STATUSES and run.error_line
        else 0,
    )


def _make_neighbour_run(pk: UUID | None, token: int | None) -> NeighbourRun | None:
    return None if pk is None or token is None else NeighbourRun(pk, token)


def _fetch_attempts(run: Run) -> list[Run]:
    """Looks among the next runs of the job only: a job may have very many later ones."""
    if run.chain is None:
        return [run]
    later = max(run.token, run.chain) + MAX_LATER_RUNS
    chain = Run.objects.filter(job=run.job_id, slot=run.slot, chain=run.chain, token__range=(run.chain, later))
    return list(chain.order_by("token")) or [run]


def _fetch_workers(run: Run) -> list[HostService]:
    alive = HostService.objects.filter(executor=run.executor, last_seen__gt=NowPlus(-settings.host_timeout))
    return list(alive.select_related("host").order_by("host__name", "worker"))


def _count_runs_with_same_error(run: Run, now: dt.datetime) -> int:
    others = Run.objects.filter(job=run.job_id, token__gt=run.token - MAX_EARLIER_RUNS).exclude(pk=run.pk)
    return others.filter(
        token__lt=run.token + MAX_LATER_RUNS,
        status__in=FAILURE_STATUSES,
        error_line=run.error_line,
        finished_at__gt=(run.finished_at or now) - SAME_ERROR_SPAN,
    ).count()

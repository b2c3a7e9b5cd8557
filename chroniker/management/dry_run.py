"""What a tick would do right now, in lines for people. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence

from django.db import transaction
from django.db.models import Q, QuerySet

from chroniker import lifecycle
from chroniker.clock import jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import dependencies, due, groups, pauses
from chroniker.lifecycle import plan
from chroniker.management.console import describe
from chroniker.models import Job, JobState
from chroniker.models.calendar import fetch_closed_times


def by_schedule(jobs: Sequence[Job] | None) -> list[str]:
    """What the next tick would claim (of these jobs, or of all), and why it would not claim the others that are due.

    Looks at no more jobs than a tick claims in one batch. What a tick would book, it books in a transaction that is
    rolled back, so that edits made just now are seen as the tick will see them.
    """
    with transaction.atomic(using=settings.database):
        lines = list(_by_schedule([job.pk for job in jobs] if jobs is not None else None, database_now()))
        transaction.set_rollback(True, using=settings.database)
    return lines


def by_hand(jobs: Sequence[Job]) -> list[str]:
    """Which of these jobs would be claimed if somebody asked now, and why the others would be refused."""
    return [_asked_for(job) for job in jobs]


def _asked_for(job: Job) -> str:
    state = JobState.objects.select_related("job").filter(pk=job.pk).first()
    reason = due.reason_cannot_run_now(state) if state else pauses.pauses_for([job]).get(job.pk)
    return f"would refuse “{job.name}”: {reason}" if reason else f"would claim “{job.name}”: by hand"


def _by_schedule(only: list[int] | None, now: dt.datetime) -> Iterator[str]:
    lifecycle.book(due.to_book(now, settings.batch_size, only), now)
    claimed: set[int] = set()
    if pauses.global_pause() is None and not jump_detection.suspended_because():
        candidates = list(_candidates(only, now))
        room = groups.free_places(state.job for state, _draw in candidates)
        for state, draw in candidates:
            if state.pk not in claimed:
                claimed.add(state.pk)
                yield from _planned(state, draw, now, room)
    rest = _others(only, now).exclude(pk__in=claimed).select_related("job")[: settings.batch_size]
    for pk, reason in due.why_not(states := list(rest), now).items():
        name = next(state.job.name for state in states if state.pk == pk)
        yield f"would not claim “{name}”: {reason}"


Draw = Callable[[JobState], lifecycle.Plan]


def _candidates(only: list[int] | None, now: dt.datetime) -> Iterator[tuple[JobState, Draw]]:
    """In the order in which a tick asks."""
    size = settings.batch_size
    for state in due.forced(now, only)[:size]:
        yield state, lambda state: plan.by_hand(state, now)
    scheduled = list(due.scheduled(now, only)[:size])
    until = dependencies.ready_until([state.pk for state in scheduled], now)
    fetch_closed_times(state.job for state in scheduled)
    for state in scheduled:
        yield state, lambda state: plan.scheduled(state, now, until.get(state.pk))
    for state in due.retries(now, only)[:size]:
        yield state, lambda state: plan.retry(state, now)


def _planned(state: JobState, draw: Draw, now: dt.datetime, room: dict[int, int]) -> Iterator[str]:
    try:
        runs = draw(state).runs
    except Exception as error:  # whatever a schedule raises concerns this job alone, as in a tick
        yield f"would set aside “{state.job.name}”: {error}"
        return
    group = state.job.group
    if group is not None and group.pk in room and runs and not runs[-1].finished_at:
        if not room[group.pk]:
            yield f"would not claim “{state.job.name}”: its group “{group}” is full by then."
            return
        room[group.pk] -= 1
    for run in runs:
        run.job = state.job
        verb = "skip" if run.finished_at else "claim"
        yield f"would {verb} {describe(run)}{': ' + run.reason if run.reason else ''}"


def _others(only: list[int] | None, now: dt.datetime) -> QuerySet[JobState]:
    if only is not None:
        return JobState.objects.filter(pk__in=only).order_by("job__name")
    is_due = Q(next_run__lte=now) | Q(retry_at__lte=now) | Q(job__force_run=True)
    return JobState.objects.filter(is_due).order_by("job__name")

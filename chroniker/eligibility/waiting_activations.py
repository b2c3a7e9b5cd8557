"""Activations that wait for a claim of their target. Read-only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Count, Expression, F, OuterRef, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from chroniker.models import Activation, CatchUp, Job, JobState

#: At most this many activations wait for one target: further ones are refused.
MAX_WAITING_ACTIVATIONS = 10_000
#: For a target with one run for each activation, a claim reads this many, and takes the first that is not too old.
MAX_ACTIVATIONS_READ_PER_JOB = 100
#: A pass reads this many at once, of several targets. The rest waits for the next pass.
MAX_ACTIVATIONS_READ_PER_PASS = 50_000


def all_waiting_activations() -> QuerySet[Activation]:
    """All activations that have not ended. The index on (ended_at, target) finds them."""
    return Activation.objects.filter(ended_at__isnull=True)


def row_if_too_many_activations_wait(target: Any) -> QuerySet[Activation]:
    """One row if so many activations wait for this target that a further one is refused; else no row."""
    return (
        all_waiting_activations()
        .filter(target=target)
        .order_by("pk")[MAX_WAITING_ACTIVATIONS - 1 : MAX_WAITING_ACTIVATIONS]
    )


def possibly_late_activations(now: dt.datetime | Expression) -> QuerySet[Activation]:
    """Activations that may have waited too long, also those that have ended since. Only for targets that have a
    state."""
    return Activation.objects.filter(late_at__lte=now, target__state__isnull=False)


def read_oldest_activation_by_job(job_ids: Collection[int]) -> dict[int, Activation]:
    """By job: the oldest activation that waits for it. Two statements; none without jobs."""
    if not job_ids:
        return {}
    first = all_waiting_activations().filter(target=OuterRef("pk")).order_by("made_at", "pk").values("pk")[:1]
    ids = Job.objects.filter(pk__in=job_ids).annotate(first=Subquery(first)).values_list("first", flat=True)
    return {row.target_id: row for row in Activation.objects.filter(pk__in=[pk for pk in ids if pk is not None])}


def count_waiting_activations_by_job(job_ids: Collection[int]) -> dict[int, int]:
    """By job: how many activations wait for it. One statement."""
    rows = all_waiting_activations().filter(target__in=job_ids).order_by().values("target").annotate(n=Count("pk"))
    return {row["target"]: row["n"] for row in rows}


def read_waiting_activations_by_job(states: Iterable[JobState]) -> dict[int, list[Activation]]:
    """The waiting activations of these jobs, the oldest first. Each state carries its job. At most two statements.

    A job is missing from the result if no activation waits for it, or if too many wait for the jobs before it.
    """
    each, several = list[int](), list[int]()
    for state in states:
        (each if state.job.catch_up == CatchUp.EACH else several).append(state.pk)
    oldest = F("made_at").asc(), F("pk").asc()
    place = Window(RowNumber(), partition_by=F("target"), order_by=oldest)
    found: dict[int, list[Activation]] = {}
    for ids, rows in (
        (each, all_waiting_activations().annotate(place=place).filter(place__lte=MAX_ACTIVATIONS_READ_PER_JOB)),
        (several, all_waiting_activations()),
    ):
        if ids:
            _add_activations_by_target(found, rows.filter(target__in=ids).order_by("target_id", *oldest))
    return found


def _add_activations_by_target(found: dict[int, list[Activation]], rows: QuerySet[Activation]) -> None:
    """Add these rows by target. If the limit cuts off rows of the last target, that target is left out."""
    read = list(rows[: MAX_ACTIVATIONS_READ_PER_PASS + 1])
    for activation in read:
        found.setdefault(activation.target_id, []).append(activation)
    if len(read) > MAX_ACTIVATIONS_READ_PER_PASS and read[0].target_id != read[-1].target_id:
        del found[read[-1].target_id]

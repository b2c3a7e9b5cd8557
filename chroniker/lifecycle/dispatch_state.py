"""Record dispatches of claims: when, how often, and when to repeat them. Does not change a run's status."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, DateTimeField, F, Field, QuerySet, Value, When

from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import Job, Run, Status
from chroniker.reasons import NO_REASON, Code, Reason

MAX_REDISPATCH_DELAY = dt.timedelta(hours=1)
#: A claim is dispatched at least this often before its start deadline, because each message may be lost with a broker
#: or a worker. The time between two dispatches is never shorter than ``CHRONIKER_REDISPATCH_SECONDS``.
MIN_DISPATCHES_BEFORE_DEADLINE = 10
DELAY_AFTER_FAILED_DISPATCH = dt.timedelta(seconds=5)


@transactional
def record_dispatched(runs: Collection[Run], now: dt.datetime) -> None:
    """Record that executors accepted these runs, each with its ``job``, and set the time of the next dispatch.

    The delay doubles with each dispatch, up to ``MAX_REDISPATCH_DELAY`` or a tenth of the start deadline. ``queue`` of
    each run is the queue that its message was sent to. ``now`` may be a little before the time of the claims, because
    they read the database's clock later. Then the time of the claims is recorded.
    """
    now = max([now, *(run.claimed_at for run in runs)])
    _select_unstarted_runs([run.pk for run in runs]).update(
        dispatched_at=now,
        redispatch_at=_make_case_expression_by_run(
            {run.pk: now + _next_dispatch_delay(run) for run in runs}, DateTimeField()
        ),
        dispatch_count=F("dispatch_count") + 1,
        queue=_make_case_expression_by_run({run.pk: run.queue for run in runs}, CharField()),
        **NO_REASON.columns(),
    )


class FirstRedispatchDelays:
    """The delays between the first and the second dispatch, by start deadline: read once for a batch."""

    def __init__(self) -> None:
        self._found: dict[int | None, dt.timedelta] = {}

    def delay_for_job(self, job: Job) -> dt.timedelta:
        own = job.start_deadline_seconds
        if own not in self._found:
            self._found[own] = _compute_redispatch_delay(own, 0)
        return self._found[own]


def record_dispatch_in_advance(run: Run, queue: str, now: dt.datetime, delay: dt.timedelta) -> None:
    """Set the columns that the dispatch right after the commit would set. The run is not inserted yet.

    If the claimer dies before it sends the message, a tick sends it again, as after the loss of a message.
    """
    run.dispatch_count, run.queue, run.dispatched_at, run.redispatch_at = 1, queue, now, now + delay


@transactional
def record_actual_queues(runs: Collection[Run]) -> None:
    """Record the queues to which the messages of these runs were sent: they differ from those recorded in advance."""
    _select_unstarted_runs([run.pk for run in runs]).update(
        queue=_make_case_expression_by_run({run.pk: run.queue for run in runs}, CharField())
    )


def _make_case_expression_by_run(values: Mapping[UUID, Any], field: Field[Any, Any]) -> Case:
    """SQL expression: the value of each run. Runs with the most frequent value are not listed."""
    groups = defaultdict(list)
    for run_id, value in values.items():
        groups[value].append(run_id)
    *others, usual = sorted(groups, key=lambda value: len(groups[value]))
    cases = [When(pk__in=groups[value], then=Value(value, field)) for value in others]
    return Case(*cases, default=Value(usual, field), output_field=field)


def _next_dispatch_delay(run: Run) -> dt.timedelta:
    return _compute_redispatch_delay(run.job.start_deadline_seconds, run.dispatch_count)


def _compute_redispatch_delay(start_deadline_seconds: int | None, dispatches: int) -> dt.timedelta:
    """The delay after the next dispatch, if there were this many dispatches before."""
    longest, shortest = (
        min(
            settings.start_deadline_or_default(start_deadline_seconds) / MIN_DISPATCHES_BEFORE_DEADLINE,
            MAX_REDISPATCH_DELAY,
        ),
        settings.redispatch,
    )
    return min(shortest * (1 << min(dispatches, 16)), max(longest, shortest))


@transactional
def reserve_claims_for_redispatch(run_ids: Collection[UUID], now: dt.datetime) -> set[UUID]:
    """Reserve claims whose redispatch is due; returns the ids that this caller may dispatch.

    Concurrent ticks find the same claims, and a worker has to refuse every duplicate message; so only one tick sends
    it. If the caller dies before it sends the messages, the claims are due again after
    ``CHRONIKER_REDISPATCH_SECONDS``.
    """
    waiting = _select_unstarted_runs(run_ids).filter(redispatch_at__lte=now)
    mine = set(lock_rows(waiting, skip=True).values_list("pk", flat=True))
    _select_unstarted_runs(mine).update(redispatch_at=now + settings.redispatch)
    return mine


@transactional
def record_dispatch_failures(
    run_ids: Collection[UUID], now: dt.datetime, error: str = "", *, is_new: bool = False
) -> None:
    """Record that no executor accepted these runs (no broker, no capacity): redispatch soon, and show the error.

    ``is_new``: they were never sent, even if a dispatch was recorded in advance.
    """
    because = Reason.of(Code.NOT_ACCEPTED, error=error) if error else NO_REASON
    never_sent = {"dispatched_at": None, "dispatch_count": 0} if is_new else {}
    _select_unstarted_runs(run_ids).update(
        redispatch_at=now + DELAY_AFTER_FAILED_DISPATCH, **never_sent, **because.columns()
    )


@transactional
def record_postponed_start(run_id: UUID, token: int, seconds: float, reason: Reason) -> None:
    """Record that a worker may not start this run now: its message is consumed, so redispatch after ``seconds``."""
    later = NowPlus(dt.timedelta(seconds=seconds))
    _select_unstarted_runs([run_id]).filter(token=token).update(redispatch_at=later, **reason.columns())


@transactional
def record_wait_for_required_host(run_ids: Collection[UUID]) -> None:
    """Record that only the required host's own ticks can dispatch these runs. The run shows that reason."""
    waiting = _select_unstarted_runs(run_ids).filter(dispatched_at=None)  # that host may have dispatched it already
    waiting.update(**Reason.of(Code.WAITS_FOR_HOST).columns())


def _select_unstarted_runs(run_ids: Collection[UUID]) -> QuerySet[Run]:
    return Run.objects.filter(pk__in=run_ids, status=Status.CLAIMED)

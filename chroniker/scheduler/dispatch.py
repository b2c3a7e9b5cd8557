"""Hand claimed runs to their executors, and send hints to workers. Lost messages are sent again by later ticks."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from django.db.models import Expression, Q, QuerySet

from chroniker import lifecycle
from chroniker.clock.database_clock import NowPlus, database_now
from chroniker.conf import settings
from chroniker.eligibility import draining
from chroniker.escaping import to_one_line
from chroniker.exceptions import ExecutorError
from chroniker.executors import InProcessExecutor, executors
from chroniker.models import EVERY_HOST, Job, Run, Status

logger = logging.getLogger(__name__)

_TIME_BEFORE_ALL_CLAIMS = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def assign_queues_to_plans(plans: Iterable[lifecycle.Plan]) -> None:
    """Set the queue of each plan whose executor knows it: then the claim itself records the dispatch."""
    queues: dict[tuple[str, str, str], str | None] = {}
    for plan in plans:
        job = plan.job
        if plan.claimed_run and job.hostname != EVERY_HOST:
            key = (job.executor, job.queue, job.hostname)
            if key not in queues:
                queues[key] = _find_queue_of_job(job)
            plan.dispatch_queue = queues[key]


def _find_queue_of_job(job: Job) -> str | None:
    try:
        return executors[job.executor].queue_for(job)
    except ExecutorError:  # the dispatch records it
        return None


def dispatch(runs: Sequence[Run], now: dt.datetime, *, is_new: bool = False) -> int:
    """Hand claimed runs to their executors; returns how many runs they accepted. Later ticks try the others again.

    ``is_new``: this pass has claimed the runs; their dispatch may be recorded already (``assign_queues_to_plans``).
    """
    by_alias = defaultdict(list)
    for run in runs:
        if run.required_host != EVERY_HOST:  # its children are dispatched
            by_alias[run.job.executor].append(run)
    taken = 0
    for alias, group in by_alias.items():
        ids = [run.pk for run in group]
        try:
            executor = executors[alias]
            accepted = executor.dispatch(group)
        except Exception as error:  # no broker, or an invalid alias: the claims wait, and the reason is recorded
            logger.warning("Executor %r accepted none of %d runs: %s", alias, len(group), to_one_line(error))
            lifecycle.record_dispatch_failures(ids, now, error=f"{type(error).__name__}: {error}", is_new=is_new)
            continue
        _record_dispatch(group, accepted, now, is_new=is_new)
        accepted = set(accepted)
        mine = set(ids)
        if isinstance(executor, InProcessExecutor) and (
            left := mine - {run.pk for run in executor.runs_for_this_host(group)}
        ):
            lifecycle.record_wait_for_required_host(left)
            mine -= left
        if refused := mine - accepted:
            lifecycle.record_dispatch_failures(refused, now, is_new=is_new)
        taken += len(accepted)
    return taken


def _record_dispatch(group: Sequence[Run], accepted: Collection[UUID], now: dt.datetime, *, is_new: bool) -> None:
    """Record the dispatch of the accepted runs, unless their claims have recorded it already."""
    expected = {run.pk: run.queue for run in group if is_new and run.dispatch_count}
    if isinstance(accepted, Mapping):
        for run in group:
            run.queue = accepted.get(run.pk, run.queue)
    ids = set(accepted)
    sent = [run for run in group if run.pk in ids]
    if unrecorded := [run for run in sent if run.pk not in expected]:
        lifecycle.record_dispatched(unrecorded, now)
    if elsewhere := [run for run in sent if expected.get(run.pk, run.queue) != run.queue]:
        lifecycle.record_actual_queues(elsewhere)


def claims_this_host_may_dispatch(local_executors: Collection[str]) -> QuerySet[Run]:
    """Claims that this process may hand to its executors. ``local_executors``: those that execute in this process.

    A claim of such an executor for another host is left to that host's ticks.
    """
    claims = Run.objects.filter(status=Status.CLAIMED)
    if not local_executors:
        return claims
    return claims.exclude(Q(job__executor__in=local_executors) & ~Q(required_host__in=["", settings.hostname]))


def claims_to_redispatch(now: dt.datetime | Expression, local_executors: Collection[str]) -> QuerySet[Run]:
    """Claims whose message seems lost, or that no worker took. The claim that waits longest comes first."""
    return (
        claims_this_host_may_dispatch(local_executors)
        .filter(redispatch_at__lte=now)
        .select_related("job")
        .order_by("redispatch_at")
    )


def claims_that_need_this_host(local_executors: Collection[str]) -> QuerySet[Run]:
    """Claims that other hosts' ticks made, that only this host can dispatch, and that were not dispatched yet."""
    # Any value of ``redispatch_at`` is accepted. The condition lets the database use an index of open claims only.
    waiting = Run.objects.filter(status=Status.CLAIMED, redispatch_at__gt=_TIME_BEFORE_ALL_CLAIMS, dispatched_at=None)
    mine = waiting.filter(required_host=settings.hostname, job__executor__in=local_executors)
    return mine.select_related("job").order_by("redispatch_at")


def redispatch_overdue_claims(now: dt.datetime, *, is_draining: bool = False) -> int:
    """Send a second message for claims whose first message seems lost. This is harmless: only one start succeeds.

    While this host is draining, claims of executors that execute here are left to other hosts.
    """
    here = executors.in_process_executor_aliases()
    claims = claims_to_redispatch(now, here)
    if is_draining:
        claims = claims.exclude(job__executor__in=here)
    waiting = list(claims[: settings.batch_size])
    mine = lifecycle.reserve_claims_for_redispatch([run.pk for run in waiting], now) if waiting else ()
    return dispatch([run for run in waiting if run.pk in mine], now)


def dispatch_claims_that_need_this_host(now: dt.datetime, job_ids_won_by_others: Collection[int]) -> int:
    """Dispatch claims that other hosts' ticks made for this host, including those that are not committed yet.

    Two hosts tick at the same time, and either may win a claim. If the other host wins a claim for this host, this tick
    waits for the commit of the other tick; otherwise the run would wait for the next tick of this host.
    ``job_ids_won_by_others``: the jobs for this host that another tick has claimed.
    """
    here = executors.in_process_executor_aliases()
    if not here:
        return 0
    if job_ids_won_by_others:
        lifecycle.wait_for_state_locks(job_ids_won_by_others)
    return dispatch(list(claims_that_need_this_host(here)[: settings.batch_size]), now)


def redispatch_old_claims_of_this_host(min_age: dt.timedelta) -> int:
    """Dispatch again the claims that only this host can take and whose message is older than ``min_age``. Called when a
    worker of this host starts: its queue may have expired with the messages before. Needs one statement if there is no
    such claim.
    """
    claims = Run.objects.filter(status=Status.CLAIMED, required_host=settings.hostname)
    lost = claims.filter(dispatched_at__lt=NowPlus(-min_age)).select_related("job").order_by("claimed_at")
    return dispatch(list(lost[: settings.batch_size]), database_now())


def stop_or_continue_consuming(workers: Iterable[tuple[str, str, Sequence[str]]], *, stop: bool) -> None:
    """Tell workers that the drain of their host began or ended. ``workers``: executor, name and queues of each."""
    for alias, worker, queues in workers:
        try:
            executors[alias].stop_or_continue_consuming(worker, queues, stop=stop)
        except Exception as error:  # only a hint: a draining host refuses the start of runs
            logger.info("The hint about a drain could not be sent to %s: %s", worker, to_one_line(error))


def end_drain_of_this_host(*, starting_worker: str = "") -> bool:
    """End the drain of this host: its live workers consume their queues again. ``False``: it was not draining.

    ``starting_worker``: the worker that calls this function, if any. It consumes its queues already.
    """
    workers = draining.record_end_of_drain_of_this_host()
    stop_or_continue_consuming([each for each in workers or () if each[1] != starting_worker], stop=False)
    return workers is not None


def notify_workers_of_stop(runs: Collection[Run]) -> None:
    """Send a hint to the workers of these runs that a stop was requested. For a run on every host, notify the
    worker of each child."""
    executor_of = {run.pk: run.job.executor for run in runs}
    if parents := [run.pk for run in runs if run.required_host == EVERY_HOST]:
        children = Run.objects.filter(parent__in=parents, status=Status.RUNNING).values_list("pk", "parent")
        executor_of |= {pk: executor_of[parent] for pk, parent in children if parent}
    for run_id in executor_of.keys() - set(parents):
        try:
            executors[executor_of[run_id]].request_stop(run_id)
        except Exception as error:  # only a hint: the next renewal reports the stop anyway
            logger.info("The hint to stop run %s could not be sent: %s", run_id, to_one_line(error))

"""Claimed runs on their way to their executors, and word for those that execute. What gets lost here is sent again."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Collection, Sequence

from chroniker import lifecycle
from chroniker.conf import settings
from chroniker.eligibility import hosts
from chroniker.escaping import one_line
from chroniker.executors import HostedExecutor, executors
from chroniker.models import EVERY_HOST, Run, Status

logger = logging.getLogger(__name__)


def dispatch(runs: Sequence[Run], now: dt.datetime) -> int:
    """Hand claimed runs to their executors; how many were taken. Those not taken are offered again by later ticks."""
    by_alias = defaultdict(list)
    for run in runs:
        if run.required_host != EVERY_HOST:  # its children are
            by_alias[run.job.executor].append(run)
    taken = 0
    for alias, group in by_alias.items():
        ids = [run.pk for run in group]
        try:
            executor = executors[alias]
            accepted = set(executor.dispatch(group))
        except Exception as error:  # no broker, a bad alias: the claims wait, and say why
            logger.warning("Executor %r took none of %d runs: %s", alias, len(group), one_line(error))
            lifecycle.record_not_accepted(ids, now, error=f"{type(error).__name__}: {error}")
            continue
        if sent := [run for run in group if run.pk in accepted]:
            lifecycle.record_dispatched(sent, now)
        mine = set(ids)
        if isinstance(executor, HostedExecutor) and (left := mine - {run.pk for run in executor.for_here(group)}):
            lifecycle.leave_to_host(left)
            mine -= left
        if refused := mine - accepted:
            lifecycle.record_not_accepted(refused, now)
        taken += len(accepted)
    return taken


def dispatch_again(now: dt.datetime) -> int:
    """Claims whose message seems lost. A second one is harmless: only one start succeeds."""
    waiting = list(hosts.claims_to_redispatch(now, executors.here())[: settings.batch_size])
    mine = lifecycle.take_for_dispatch([run.pk for run in waiting], now) if waiting else ()
    return dispatch([run for run in waiting if run.pk in mine], now)


def dispatch_claims_left_for_this_host(now: dt.datetime, contested: Collection[int]) -> int:
    """Claims that other hosts' ticks made for this one, also those they are making right now.

    Two ticks wake at the same instant, and either may win the claim. Where it is the wrong one, the right one must
    not go home before that claim is committed: it would not look again until its next pass. ``contested``: jobs
    for this host that another claimer was quicker with.
    """
    here = executors.here()
    if not here:
        return 0
    if contested:
        lifecycle.wait_for(contested)
    return dispatch(list(hosts.claims_left_for_this_host(here)[: settings.batch_size]), now)


def wake_worker(run: Run) -> None:
    """To whoever executes it: of a run on every host, to each of them, as long as the first ones get through."""
    ids = [run.pk]
    if run.required_host == EVERY_HOST:
        ids = list(Run.objects.filter(parent=run.pk, status=Status.RUNNING).values_list("pk", flat=True))
    try:
        for run_id in ids:
            executors[run.job.executor].request_stop(run_id)
    except Exception as error:  # only a hint: the run's next renewal carries the stop anyway
        logger.info("No hint to stop run %s: %s", run.pk, one_line(error))

"""Claim what is due, batch by batch, and dispatch each batch after its commit."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Collection, Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from chroniker import lifecycle
from chroniker.clock import jump_detection
from chroniker.conf import settings
from chroniker.eligibility import dependencies, due
from chroniker.lifecycle import plan
from chroniker.models import EVERY_HOST, JobState, Run
from chroniker.models.calendar import fetch_closed_times
from chroniker.scheduler import dispatch, retention
from chroniker.scheduler.stopping import stop
from chroniker.scheduler.tick_result import TickResult

logger = logging.getLogger(__name__)


#: A pass begins no further batch after this time, so that expiry and re-dispatch are not starved by a long backlog.
TIME_BOX = dt.timedelta(seconds=30)


Find = Callable[[dt.datetime, Collection[int] | None], QuerySet[JobState]]


Draw = Callable[[JobState, dt.datetime], lifecycle.Plan]


def stop_replaced(now: dt.datetime, only: Collection[int] | None) -> None:
    """Step 4: stop what is to make room for the next instant. One that is skipped for a blackout needs none."""
    leases = list(due.to_replace(now, only).select_related("job__state")[: settings.batch_size])
    fetch_closed_times(lease.job for lease in leases)
    for lease in leases:
        lease.job.state.job = lease.job
        if not lease.job.closed_times or not _in_blackout(lease.job.state, now):
            stop(lease.run_id, _("the overlap policy: replace"))


def _in_blackout(state: JobState, now: dt.datetime) -> bool:
    try:
        return plan.in_blackout(state, now)
    except Exception:  # whatever a schedule raises concerns this job alone; drawing its plan sets it aside
        logger.exception("Whether a blackout holds job %s cannot be computed.", state.pk)
        return False


def claim_due(done: TickResult, only: Collection[int] | None, now: dt.datetime | None) -> None:
    """Steps 4 and 5. The clock is read anew for each batch, unless ``now`` is given."""
    stop_replaced(now or jump_detection.trusted_now(), only)
    _claim_all(done, due.overlapped, plan.overlapped, only, now)
    _claim_all(done, due.forced, plan.by_hand, only, now, by_flag=True)
    _claim_all(done, due.scheduled, plan.scheduled, only, now)
    _claim_all(done, due.retries, plan.retry, only, now)


def _claim_all(
    done: TickResult,
    find: Find,
    draw: Draw,
    only: Collection[int] | None,
    now: dt.datetime | None,
    *,
    by_flag: bool = False,
) -> None:
    began, empty = time.monotonic(), 0
    while empty < 3 and time.monotonic() - began < TIME_BOX.total_seconds():
        moment = now or jump_detection.trusted_now()
        states = list(find(moment, only)[: settings.batch_size])
        if not states:
            return
        plans = _draw_all(states, draw, moment)
        claimed = lifecycle.claim(plans, moment, by_flag=by_flag)
        done.claimed += claimed
        won = {run.job_id for run in claimed}
        mine = {settings.hostname, EVERY_HOST}
        done.lost_races |= {state.pk for state in states if state.job.hostname in mine} - won
        done.dispatched += dispatch.dispatch(claimed, moment)
        if len(states) < settings.batch_size:
            return
        empty = 0 if claimed else empty + 1  # a full batch of which nothing was ours: others are at it


def _draw_all(states: Sequence[JobState], draw: Draw, now: dt.datetime) -> list[lifecycle.Plan]:
    """Plan each job. One whose schedule raises is set aside; one edited behind the form's back is booked."""
    until = dependencies.ready_until([state.pk for state in states], now) if draw is plan.scheduled else {}
    if draw in (plan.scheduled, plan.overlapped):
        fetch_closed_times(state.job for state in states)
    plans, changed = [], []
    for state in states:
        try:
            if draw in (plan.scheduled, plan.overlapped) and state.booked_fingerprint != state.job.spec.fingerprint():
                changed.append(state.pk)
            elif state.pk in until:
                plans.append(plan.scheduled(state, now, until[state.pk]))
            else:
                plans.append(draw(state, now))
        except Exception as error:  # whatever a schedule raises concerns this job alone
            logger.exception("Job %s is set aside: its schedule cannot be computed.", state.pk)
            lifecycle.set_aside(state.pk, error)
    if changed:
        lifecycle.book(changed, now)
    return plans


def trim_history(claimed: Sequence[Run]) -> None:
    """Step 8, by whoever claims: a history grows by claims alone."""
    retention.trim([run.job_id for run in claimed])

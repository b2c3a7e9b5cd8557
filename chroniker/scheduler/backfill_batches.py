"""Reads the backfills of a batch of jobs, with their next instants, for the plans of a claim."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence

from chroniker import lifecycle
from chroniker.eligibility import backfill_instants
from chroniker.lifecycle import backfill_plan
from chroniker.lifecycle.backfill_plan import OpenBackfill
from chroniker.models import Backfill, JobState
from chroniker.models.job import prefetch_closed_times

logger = logging.getLogger(__name__)


def attach_open_backfills_to_states(states: Sequence[JobState], now: dt.datetime) -> list[JobState]:
    """Return the states for which a plan can be computed, each with its ``open_backfill``. At most three statements.

    If the schedule of a backfill raises an error, the backfill is ended with this error. If only this host cannot
    compute the schedule, the backfill is left to other hosts.
    """
    by_job = {row.job_id: row for row in Backfill.objects.filter(job__in=[s.pk for s in states], finished_at=None)}
    states = [state for state in states if state.pk in by_job]
    look = [
        s for s in states if not by_job[s.pk].attempt and backfill_plan.would_backfill_run_end_before_next_run(s, now)
    ]
    prefetch_closed_times(state.job for state in look)
    found, errors = backfill_instants.find_next_instants_of_backfills(
        [(by_job[state.pk], state.job.closed_times) for state in look]
    )
    for state in look:
        if (error := errors.get(state.pk)) is not None:
            _handle_schedule_error(by_job[state.pk], error)
    undecided = {state.pk for state in look} - found.keys()
    for state in states:
        state.__dict__["open_backfill"] = OpenBackfill(by_job[state.pk], found.get(state.pk))
    return [state for state in states if state.pk not in undecided]


def _handle_schedule_error(backfill: Backfill, error: Exception) -> None:
    if lifecycle.is_host_local_error(error):
        logger.error("This host cannot compute backfill %s; perhaps other hosts can: %s", backfill.pk, error)
        return
    logger.error("The scheduled times of backfill %s cannot be computed; it is ended.", backfill.pk, exc_info=error)
    lifecycle.fail_backfill(backfill.pk, f"{type(error).__name__}: {error}")

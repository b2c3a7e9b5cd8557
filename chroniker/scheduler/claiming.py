"""Claim due jobs, batch by batch. The caller dispatches the claimed runs."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError

from chroniker import lifecycle
from chroniker.clock import jump_detection
from chroniker.conf import settings
from chroniker.eligibility import dependencies, due, waiting_activations
from chroniker.eligibility.claim_kinds import BACKFILL, TICK_CLAIM_KINDS, ClaimKind
from chroniker.eligibility.dependencies import DependencyScope
from chroniker.lifecycle import claim_plan
from chroniker.models import EVERY_HOST, Activation, JobState, Run
from chroniker.models.job import prefetch_closed_times
from chroniker.process.kernel import host_clock
from chroniker.reasons import Code, Reason
from chroniker.scheduler import dispatch, retention
from chroniker.scheduler.backfill_batches import attach_open_backfills_to_states
from chroniker.scheduler.stopping import stop_runs
from chroniker.scheduler.tick_result import TickResult

logger = logging.getLogger(__name__)

#: A pass begins no further batch of a kind after this time, so that a long backlog does not delay expiry and
#: redispatch.
TIME_LIMIT_PER_PASS = dt.timedelta(seconds=30)

#: After this many consecutive full batches without a claim, this process leaves the rest to other claimers.
MAX_BATCHES_WITHOUT_CLAIM = 3

ClockFunction = Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class ClaimSearch:
    """The claims that a pass searches for. Changes during the pass are found by the next pass."""

    kinds: tuple[ClaimKind, ...] = TICK_CLAIM_KINDS
    may_replace_open_runs: bool = True  #: of due jobs
    check_groups: bool = True  #: a group is paused or has a limit


SEARCH_ALL_CLAIMS = ClaimSearch()


def claim_due_jobs(
    result: TickResult,
    clock: ClockFunction,
    only_jobs: Collection[int] | None = None,
    search: ClaimSearch = SEARCH_ALL_CLAIMS,
) -> Iterator[list[Run]]:
    """Claim due jobs, and add the runs to ``result``. Yields the runs of each batch after its commit, for dispatch."""
    if search.may_replace_open_runs:
        result.has_messages_to_send |= stop_runs_replaced_by_next_instant(clock(), only_jobs)
    for kind in search.kinds:
        yield from _claim_jobs_of_kind(kind, result, clock, only_jobs, search.check_groups)


def stop_runs_replaced_by_next_instant(now: dt.datetime, only_jobs: Collection[int] | None) -> bool:
    """Stop the runs that their job's next instant replaces, unless that instant lies in a blackout.

    Returns whether there were such runs, in a blackout or not.
    """
    leases = list(
        due.find_leases_of_runs_to_replace(now, only_jobs).select_related("job__state")[: settings.batch_size]
    )
    prefetch_closed_times(lease.job for lease in leases)
    for lease in leases:
        lease.job.state.job = lease.job
    replaced = [lease for lease in leases if not lease.job.closed_times or not _is_in_blackout(lease.job.state, now)]
    stop_runs([lease.run_id for lease in replaced], Reason.of(Code.REPLACE).to_text())
    return bool(leases)


def _is_in_blackout(state: JobState, now: dt.datetime) -> bool:
    try:
        return claim_plan.are_all_due_instants_in_blackouts(state, now)
    except Exception:  # an error of one schedule affects this job only; the plan is computed next and suspends the job
        logger.exception("Cannot compute whether a blackout holds job %s.", state.pk)
        return False


def _claim_jobs_of_kind(
    kind: ClaimKind, result: TickResult, clock: ClockFunction, only_jobs: Collection[int] | None, check_groups: bool
) -> Iterator[list[Run]]:
    began, lost_batches = host_clock.monotonic(), 0
    while (
        lost_batches < MAX_BATCHES_WITHOUT_CLAIM
        and host_clock.monotonic() - began < TIME_LIMIT_PER_PASS.total_seconds()
    ):
        now = clock()
        # One more than a batch: shows whether another batch follows.
        found = due.read_due_states(kind, now, only_jobs, check_groups=check_groups, limit=settings.batch_size + 1)
        states = found[: settings.batch_size]
        if not states:
            return
        plans = _make_claim_plans(kind, states, now, result)
        dispatch.assign_queues_to_plans(plans)
        claimed = _claim_batch(plans, now)
        result.has_messages_to_send |= any(plan.run_of_missed_instants for plan in plans)
        _add_batch_to_result(result, states, claimed)
        yield claimed
        if len(found) == len(states):
            return
        lost_batches = 0 if claimed else lost_batches + 1


def _claim_batch(plans: list[lifecycle.Plan], now: dt.datetime) -> list[Run]:
    """Claim a batch. If the data of one job causes an error, claim the jobs one by one, so that only that job waits.

    An error of the database itself is raised, because it affects all jobs.
    """
    try:
        return lifecycle.claim(plans, now)
    except (jump_detection.ClockJumped, OperationalError, InterfaceError):
        raise
    except Exception:
        if len(plans) == 1:
            logger.exception("Job %s cannot be claimed; other jobs are claimed.", plans[0].state.pk)
            return []
        logger.warning("A batch of %d jobs cannot be claimed at once; they are claimed one by one.", len(plans))
    return [run for plan in plans for run in _claim_batch([plan], now)]


def _add_batch_to_result(result: TickResult, states: Sequence[JobState], claimed: Sequence[Run]) -> None:
    result.claimed += claimed
    # Tokens number the runs of a job, so this check needs no statement.
    before = {state.job_id: state.last_token for state in states}
    result.job_ids_over_run_limit |= {
        run.job_id
        for run in claimed
        if retention.must_delete_surplus_runs(run.job.maximum_log_entries, before[run.job_id], run.token)
    }
    won = {run.job_id for run in claimed}
    here = {settings.hostname, EVERY_HOST}
    result.job_ids_claimed_by_others |= {state.job_id for state in states if state.job.hostname in here} - won


def _make_claim_plans(
    kind: ClaimKind, states: Sequence[JobState], now: dt.datetime, result: TickResult
) -> list[lifecycle.Plan]:
    """Return the plans of one batch. Suspends a job if its schedule raises an error; books a job that was edited
    without its model class."""
    ids = [state.job_id for state in states]
    until = (
        dependencies.read_first_pending_dependee_instants(ids, now) if kind.dependencies is DependencyScope.ALL else {}
    )
    if kind.covers_instants and any(state.job.calendar_id for state in states):
        prefetch_closed_times(state.job for state in states)
    waiting: dict[int, list[Activation]] = {}
    if kind.by_activation:
        waiting = waiting_activations.read_waiting_activations_by_job(states)
        states = [state for state in states if state.pk in waiting]
    if kind is BACKFILL:
        states = attach_open_backfills_to_states(states, now)
    plans, changed = [], []
    for state in states:
        try:
            if kind.covers_instants and state.booked_fingerprint != state.job.spec.fingerprint():
                changed.append(state.pk)
            else:
                plans.append(
                    claim_plan.make_claim_plan(kind, state, now, until.get(state.job_id), waiting.get(state.job_id, ()))
                )
        except Exception as error:  # an error of one schedule affects this job only
            if lifecycle.is_host_local_error(error):
                logger.error(
                    "This host cannot compute the schedule of job %s; perhaps other hosts can: %s", state.pk, error
                )
                continue
            logger.exception("The schedule of job %s cannot be computed; it is suspended.", state.pk)
            lifecycle.suspend_schedule(state, error)
            result.schedule_errors.append((state.job, error))
    if changed:
        lifecycle.book_next_instants(changed, now)
    return plans

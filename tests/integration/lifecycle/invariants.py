"""What must hold after each step of the state machine. The rows are read once for all invariants."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from functools import cached_property
from uuid import UUID

from cronsim import CronSim

from chroniker.eligibility.backfill_instants import MICROSECOND
from chroniker.eligibility.backfill_instants import compute_instants_outside_blackouts as following_instants
from chroniker.lifecycle.activations import ORIGINS_THAT_FIRE_TRIGGERS
from chroniker.models import (
    ALLOWED_TRANSITIONS,
    FAILURE_STATUSES,
    OPEN_STATUSES,
    Activation,
    Alert,
    AlertKind,
    Backfill,
    CatchUp,
    InstantSelection,
    JobState,
    JobTrigger,
    Lease,
    Run,
    Status,
    Trigger,
    TriggerOn,
)
from chroniker.models.alert import alert_kinds_of_bits

#: What the sequences of one test have to reach.
KINDS = {
    *("run that ended", "skipped time", "lost run", "pending retry", "held job", "open alert"),
    *("activation with a run", "backfill with a run", "backfill that ended"),
}
_RUN_COLUMNS = (
    *("job", "token", "status", "slot", "scheduled_for", "covered_until", "instant"),
    *("origin", "trigger", "chain", "backfill"),
)


def _closure() -> set[tuple[Status | None, Status]]:
    """One step can make several transitions: a tick claims a job whose run it has just closed."""
    reached = set(ALLOWED_TRANSITIONS)
    while more := {(a, d) for a, b in reached for c, d in ALLOWED_TRANSITIONS if b == c} - reached:
        reached |= more
    return reached


_REACHED = _closure()


class StoredRows:
    """The rows of all jobs after one step. ``seen``: the status of each run after the step before; it is updated."""

    def __init__(self, seen: dict[UUID, Status]) -> None:
        self.seen = seen
        self.runs = list(Run.objects.only(*_RUN_COLUMNS).order_by("pk"))
        self.states = list(JobState.objects.select_related("job"))
        self.activations = list(Activation.objects.all())
        self.backfills = list(Backfill.objects.all())

    @cached_property
    def run_by_id(self) -> dict[UUID, Run]:
        return {run.pk: run for run in self.runs}

    @cached_property
    def run_by_token(self) -> dict[tuple[int, int], Run]:
        """For each job and token; a run on every host has the token of its children."""
        return {(run.job_id, run.token): run for run in self.runs}

    @cached_property
    def state_by_job(self) -> dict[int, JobState]:
        return {state.pk: state for state in self.states}

    def runs_of(self, job_id: int) -> Iterator[Run]:
        return (run for run in self.runs if run.job_id == job_id)

    def kinds(self) -> Iterator[tuple[str, bool]]:
        """Whether there are rows of each of ``KINDS``."""
        yield "run that ended", any(run.status not in (*OPEN_STATUSES, Status.SKIPPED) for run in self.runs)
        yield "skipped time", any(run.status == Status.SKIPPED for run in self.runs)
        yield "lost run", any(run.status == Status.LOST for run in self.runs)
        yield "pending retry", any(state.retry_at for state in self.states)
        yield "held job", any(state.held_at for state in self.states)
        yield "open alert", any(state.alerts_open for state in self.states)
        yield "activation with a run", any(each.run for each in self.activations)
        yield "backfill with a run", any(row.made for row in self.backfills)
        yield "backfill that ended", any(row.finished_at for row in self.backfills)

    def open_runs(self) -> Iterator[Run]:
        return (run for run in self.runs if run.status in OPEN_STATUSES)


def a_run_has_a_lease_exactly_while_it_is_open(rows: StoredRows) -> None:
    assert {run.pk for run in rows.open_runs()} == set(Lease.objects.values_list("pk", flat=True))


def states_follow_the_transition_table(rows: StoredRows) -> None:
    for run in rows.runs:
        status, before = Status(run.status), rows.seen.get(run.pk)
        assert before == status or (before, status) in _REACHED, f"{before} -> {status}"
        rows.seen[run.pk] = status


def every_scheduled_time_is_covered_once(rows: StoredRows) -> None:
    earliest = dt.datetime.min.replace(tzinfo=dt.UTC)
    for state in rows.states:
        runs = [run for run in rows.runs_of(state.pk) if run.scheduled_for is not None]
        for run, following in itertools.pairwise(sorted(runs, key=lambda run: run.scheduled_for or earliest)):
            assert run.covered_until is not None and following.scheduled_for is not None
            assert run.covered_until < following.scheduled_for
        if state.next_instant is not None and state.covered_until is not None:
            assert state.next_instant > state.covered_until
            if state.booked_fingerprint == state.job.spec.fingerprint():
                assert state.next_instant == next(CronSim(state.job.cron, state.covered_until))


def a_held_job_has_a_cause_and_no_run_of_its_schedule(rows: StoredRows) -> None:
    for state in rows.states:
        if state.held_at is not None:
            assert state.job.hold_on_failure and state.held_by_run is not None
            cause = rows.run_by_token[state.pk, state.held_by_run]
            assert cause.status in (Status.FAILED, Status.TIMED_OUT, Status.LOST)
            held = (Trigger.SCHEDULE, Trigger.EVENT)
            assert not [run for run in rows.open_runs() if run.job_id == state.pk and run.origin in held]


def an_open_backfill_goes_on_and_no_other_one_does(rows: StoredRows) -> None:
    opened = {row.job_id: row.pk for row in rows.backfills if row.finished_at is None}
    busy = {run.backfill for run in rows.open_runs()}
    for state in rows.states:
        is_waiting, row = state.backfill_at is not None, opened.get(state.pk)
        assert is_waiting == (row is not None and row not in busy), (state.job, is_waiting, row)


def a_backfill_runs_each_of_its_times_once_and_in_order(rows: StoredRows) -> None:
    for row in rows.backfills:
        runs = [run for run in rows.runs_of(row.job_id) if run.backfill == row.pk and run.slot == ""]
        assert all(run.scheduled_for is None and run.origin == Trigger.BACKFILL for run in runs)
        chains = sorted((run for run in runs if run.chain == run.token), key=lambda run: run.token)
        instants = [run.instant for run in chains if run.instant is not None]
        assert row.made == len(chains) == len(set(instants))
        assert instants == sorted(instants) and all(row.first <= each <= row.last for each in instants)
        assert row.succeeded + row.failed <= len([run for run in chains if run.status not in OPEN_STATUSES])
        is_complete = row.finished_at and not (row.cancelled_at or row.stopped_by_run)
        if is_complete and row.which == InstantSelection.ALL:
            assert instants == following_instants(row.schedule, [], row.first - MICROSECOND, row.last, 10_000)[0]


def a_pending_retry_names_an_earlier_chain(rows: StoredRows) -> None:
    for state in rows.states:
        assert (state.retry_at is None) == (state.retry_of is None)
        if state.retry_of is not None:
            first = rows.run_by_token[state.pk, state.retry_of]
            assert (first.chain, first.origin) == (state.retry_of, state.retry_origin)


def a_run_covers_one_scheduled_time_unless_all_become_one(rows: StoredRows) -> None:
    for run in rows.runs:
        if run.covered_until is not None and run.status != Status.SKIPPED:
            is_coalesced = rows.state_by_job[run.job_id].job.catch_up == CatchUp.COALESCE
            assert is_coalesced or run.scheduled_for is None or run.covered_until <= run.scheduled_for


def each_end_of_a_chain_activates_each_of_its_triggers_once(rows: StoredRows) -> None:
    expected = []
    for trigger in JobTrigger.objects.all():
        results = {TriggerOn.SUCCEEDED: (Status.SUCCEEDED,), TriggerOn.FAILED: FAILURE_STATUSES}.get(
            TriggerOn(trigger.on)
        )
        pending = rows.state_by_job[trigger.source_id].retry_of
        last: dict[int, Run] = {}
        for run in rows.runs_of(trigger.source_id):
            if run.origin in ORIGINS_THAT_FIRE_TRIGGERS and run.chain is not None and run.slot == "":
                last[run.chain] = max(run, last.get(run.chain, run), key=lambda run: run.token)
        ended = [run for chain, run in last.items() if chain != pending and run.status not in OPEN_STATUSES]
        expected += [(trigger.pk, run.pk) for run in ended if results is None or run.status in results]
    made = [(activation.trigger, activation.cause) for activation in rows.activations]
    assert sorted(made, key=str) == sorted(expected, key=str)


def each_activation_that_got_a_run_has_one_of_its_target(rows: StoredRows) -> None:
    for activation in rows.activations:
        if activation.outcome == Activation.Outcome.RUN:
            assert activation.run is not None
            run = rows.run_by_id[activation.run]
            assert (run.job_id, run.trigger) == (activation.target_id, Trigger.EVENT)
    events = {run.pk for run in rows.runs if run.trigger == Trigger.EVENT and run.slot == ""}
    assert events == {each.run for each in rows.activations if each.run is not None}


def the_marks_of_a_job_are_its_open_alerts(rows: StoredRows) -> None:
    found = Alert.objects.filter(ended_at=None).values_list("job", "kind")
    marked = [(state.pk, str(kind)) for state in rows.states for kind in alert_kinds_of_bits(state.alerts_open)]
    assert sorted(found) == sorted(marked)


def failing_and_held_jobs_have_an_alert(rows: StoredRows) -> None:
    for state in rows.states:
        if state.job.enabled and state.job.edited_at is None:
            kinds, most = alert_kinds_of_bits(state.alerts_open), state.job.alert_failures or 1
            assert (AlertKind.HELD in kinds) == (state.held_at is not None)
            assert state.failures < most or AlertKind.FAILING in kinds
            assert AlertKind.FAILING not in kinds or state.failing_since is not None


def tokens_only_grow(rows: StoredRows) -> None:
    for state in rows.states:
        tokens = [run.token for run in rows.runs_of(state.pk)]
        assert len(tokens) == len(set(tokens))
        assert state.last_token == max(tokens, default=0)


INVARIANTS: tuple[Callable[[StoredRows], None], ...] = (
    a_run_has_a_lease_exactly_while_it_is_open,
    states_follow_the_transition_table,
    every_scheduled_time_is_covered_once,
    a_held_job_has_a_cause_and_no_run_of_its_schedule,
    an_open_backfill_goes_on_and_no_other_one_does,
    a_backfill_runs_each_of_its_times_once_and_in_order,
    a_pending_retry_names_an_earlier_chain,
    a_run_covers_one_scheduled_time_unless_all_become_one,
    each_end_of_a_chain_activates_each_of_its_triggers_once,
    each_activation_that_got_a_run_has_one_of_its_target,
    the_marks_of_a_job_are_its_open_alerts,
    failing_and_held_jobs_have_an_alert,
    tokens_only_grow,
)

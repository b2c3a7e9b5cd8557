"""Random sequences of steps by workers, ticks and users, with crashes: the invariants hold after each step."""

from __future__ import annotations

import itertools

import pytest
from cronsim import CronSim
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

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
from tests.integration.lifecycle.scheduler_steps import SchedulerSteps
from tests.support.effort import AT_NIGHT, by_day_or_at_night

pytestmark = pytest.mark.django_db(transaction=True)


def _closure() -> set[tuple[Status | None, Status]]:
    """One step can make several transitions: a tick claims a job whose run it has just closed."""
    reached = set(ALLOWED_TRANSITIONS)
    while more := {(a, d) for a, b in reached for c, d in ALLOWED_TRANSITIONS if b == c} - reached:
        reached |= more
    return reached


_REACHED = _closure()


class SchedulerMachine(SchedulerSteps):
    """What must hold after each step."""

    @invariant()
    def at_most_one_instance_of_each_job_is_alive(self) -> None:
        now = self.now
        alive = [worker.run.job_id for worker in self.workers if now < worker.deadline]
        assert len(alive) == len(set(alive))

    @invariant()
    def a_run_has_a_lease_exactly_while_it_is_open(self) -> None:
        opened = set(Run.objects.filter(status__in=OPEN_STATUSES).values_list("pk", flat=True))
        assert opened == set(Lease.objects.values_list("pk", flat=True))

    @invariant()
    def states_follow_the_transition_table(self) -> None:
        for pk, text in Run.objects.values_list("pk", "status"):
            status, before = Status(text), self.seen.get(pk)
            assert before == status or (before, status) in _REACHED, f"{before} -> {status}"
            self.seen[pk] = status

    @invariant()
    def every_scheduled_time_is_covered_once(self) -> None:
        for state in JobState.objects.filter(job__in=self.jobs).select_related("job"):
            ranges = list(
                Run.objects.filter(job=state.pk, scheduled_for__isnull=False)
                .order_by("scheduled_for")
                .values_list("scheduled_for", "covered_until")
            )
            for (_first, until), (following, _until) in itertools.pairwise(ranges):
                assert until is not None and following is not None and until < following
            if state.next_instant is not None and state.covered_until is not None:
                assert state.next_instant > state.covered_until
                if state.booked_fingerprint == state.job.spec.fingerprint():
                    assert state.next_instant == next(CronSim(state.job.cron, state.covered_until))

    @invariant()
    def a_held_job_has_a_cause_and_no_run_of_its_schedule(self) -> None:
        for state in JobState.objects.filter(held_at__isnull=False).select_related("job"):
            assert state.job.hold_on_failure and state.held_by_run is not None
            cause = Run.objects.get(job=state.pk, token=state.held_by_run)
            assert cause.status in (Status.FAILED, Status.TIMED_OUT, Status.LOST)
            held = (Trigger.SCHEDULE, Trigger.EVENT)
            assert not Run.objects.filter(job=state.pk, status__in=OPEN_STATUSES, origin__in=held).exists()

    @invariant()
    def an_open_backfill_goes_on_and_no_other_one_does(self) -> None:
        waiting = dict(JobState.objects.values_list("job", "backfill_at"))
        opened = dict(Backfill.objects.filter(finished_at=None).values_list("job", "pk"))
        busy = set(
            Run.objects.filter(status__in=OPEN_STATUSES, backfill__isnull=False).values_list("backfill", flat=True)
        )
        for job in self.jobs:
            is_waiting, row = waiting[job.pk] is not None, opened.get(job.pk)
            assert is_waiting == (row is not None and row not in busy), (job, is_waiting, row)

    @invariant()
    def a_backfill_runs_each_of_its_times_once_and_in_order(self) -> None:
        for row in Backfill.objects.all():
            runs = list(Run.objects.filter(backfill=row.pk, slot="").order_by("token"))
            assert all(run.scheduled_for is None and run.origin == Trigger.BACKFILL for run in runs)
            chains = [run for run in runs if run.chain == run.token]
            instants = [run.instant for run in chains if run.instant is not None]
            assert row.made == len(chains) == len(set(instants))
            assert instants == sorted(instants) and all(row.first <= each <= row.last for each in instants)
            assert row.succeeded + row.failed <= len([run for run in chains if run.status not in OPEN_STATUSES])
            is_complete = row.finished_at and not (row.cancelled_at or row.stopped_by_run)
            if is_complete and row.which == InstantSelection.ALL:
                assert instants == following_instants(row.schedule, [], row.first - MICROSECOND, row.last, 10_000)[0]

    @invariant()
    def a_pending_retry_names_an_earlier_chain(self) -> None:
        for state in JobState.objects.all():
            assert (state.retry_at is None) == (state.retry_of is None)
            if state.retry_of is not None:
                first = Run.objects.get(job=state.pk, token=state.retry_of)
                assert (first.chain, first.origin) == (state.retry_of, state.retry_origin)

    @invariant()
    def a_run_covers_one_scheduled_time_unless_all_become_one(self) -> None:
        several = Run.objects.filter(covered_until__gt=F("scheduled_for")).exclude(status=Status.SKIPPED)
        assert not several.exclude(job__catch_up=CatchUp.COALESCE).exists()

    @invariant()
    def each_end_of_a_chain_activates_each_of_its_triggers_once(self) -> None:
        expected = []
        for trigger in JobTrigger.objects.all():
            results = {TriggerOn.SUCCEEDED: (Status.SUCCEEDED,), TriggerOn.FAILED: FAILURE_STATUSES}.get(
                TriggerOn(trigger.on)
            )
            pending = JobState.objects.get(pk=trigger.source_id).retry_of
            last: dict[int | None, Run] = {}
            for run in Run.objects.filter(
                job=trigger.source_id, origin__in=ORIGINS_THAT_FIRE_TRIGGERS, chain__isnull=False, slot=""
            ):
                if run.chain not in last or last[run.chain].token < run.token:
                    last[run.chain] = run
            ended = [run for chain, run in last.items() if chain != pending and run.status not in OPEN_STATUSES]
            expected += [(trigger.pk, run.pk) for run in ended if results is None or run.status in results]
        made = list(Activation.objects.values_list("trigger", "cause"))
        assert sorted(made, key=str) == sorted(expected, key=str)

    @invariant()
    def each_activation_that_got_a_run_has_one_of_its_target(self) -> None:
        for activation in Activation.objects.filter(outcome=Activation.Outcome.RUN):
            assert activation.run is not None
            run = Run.objects.get(pk=activation.run)
            assert (run.job_id, run.trigger) == (activation.target_id, Trigger.EVENT)
        events = Run.objects.filter(trigger=Trigger.EVENT, slot="").values_list("pk", flat=True)
        assert set(events) == set(Activation.objects.filter(run__isnull=False).values_list("run", flat=True))

    @invariant()
    def the_marks_of_a_job_are_its_open_alerts(self) -> None:
        found = Alert.objects.filter(ended_at=None).order_by("kind").values_list("job", "kind")
        marked = [
            (state.pk, str(kind)) for state in JobState.objects.all() for kind in alert_kinds_of_bits(state.alerts_open)
        ]
        assert sorted(found) == sorted(marked)

    @invariant()
    def failing_and_held_jobs_have_an_alert(self) -> None:
        for state in JobState.objects.filter(job__enabled=True, job__edited_at=None).select_related("job"):
            kinds, most = alert_kinds_of_bits(state.alerts_open), state.job.alert_failures or 1
            assert (AlertKind.HELD in kinds) == (state.held_at is not None)
            assert state.failures < most or AlertKind.FAILING in kinds
            assert AlertKind.FAILING not in kinds or state.failing_since is not None

    @invariant()
    def tokens_only_grow(self) -> None:
        for job in self.jobs:
            tokens = list(Run.objects.filter(job=job).order_by("pk").values_list("token", flat=True))
            assert len(tokens) == len(set(tokens))
            assert JobState.objects.get(pk=job.pk).last_token == max(tokens, default=0)


def test_the_invariants_hold_for_random_sequences_of_events() -> None:
    run_state_machine_as_test(
        SchedulerMachine,
        settings=settings(
            max_examples=by_day_or_at_night(15, 60),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=not AT_NIGHT,
        ),
    )

"""Random steps by workers, ticks and users, with crashes."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.db.models import F
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings as conf
from chroniker.exceptions import BackfillRefused
from chroniker.lifecycle import Outcome
from chroniker.models import (
    OPEN_STATUSES,
    Activation,
    Backfill,
    BackfillFailurePolicy,
    CatchUp,
    InstantSelection,
    Job,
    JobState,
    JobTrigger,
    Lease,
    Overlap,
    Run,
    Status,
    TriggerOn,
)
from chroniker.models.backfill import schedule_to_json
from chroniker.reasons import Code
from chroniker.scheduler import tick
from tests.support.factories import a_booked_job

JOBS = 5
pick = st.integers(min_value=0, max_value=50)
spans = st.sampled_from([1, 6, 30, 70])
ends = st.sampled_from([Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.STOPPED])
whiches, endings = st.sampled_from(InstantSelection), st.sampled_from(BackfillFailurePolicy)


@dataclass
class Worker:
    """A worker that received a message. It may execute until ``deadline`` by the clock of this test."""

    run: Run
    nonce: UUID
    deadline: dt.datetime


class SchedulerSteps(RuleBasedStateMachine):
    """The clock of this test is ``ahead`` of the database clock. Advancing it moves all times in the database back."""

    def __init__(self) -> None:
        super().__init__()
        Lease.objects.all().delete()
        Job.objects.all().delete()
        Activation.objects.all().delete()
        policies: tuple[dict[str, Any], ...] = (
            {"max_retries": 2, "alert_start_seconds": 10, "alert_run_seconds": 20},
            {"retry_on_lost": True, "overlap": Overlap.SKIP, "alert_start_seconds": 3},
            {"overlap": Overlap.REPLACE, "alert_failures": 2, "alert_run_seconds": 3},
            {"catch_up": CatchUp.EACH, "misfire_grace_seconds": 60, "max_retries": 1},
            {"catch_up": CatchUp.LATEST, "hold_on_failure": True, "retry_on_lost": True},
        )
        self.jobs = [a_booked_job(cron="*/5 * * * * *", retry_backoff_seconds=5, **each) for each in policies]
        first, second, third, fourth, last = self.jobs
        for source, target, on in (
            (first, second, TriggerOn.ENDED),
            (third, last, TriggerOn.FAILED),
            (fourth, last, TriggerOn.SUCCEEDED),
            (last, fourth, TriggerOn.ENDED),  # a circle: two saves at once may make one
        ):
            JobTrigger.objects.create(source=source, target=target, on=on)
        self.ahead = dt.timedelta()
        self.workers: list[Worker] = []
        self.seen: dict[UUID, Status] = {}

    @property
    def now(self) -> dt.datetime:
        return database_now() + self.ahead

    @rule(seconds=spans)
    def time_passes_and_a_tick_comes(self, seconds: int) -> None:
        span = dt.timedelta(seconds=seconds)
        self.ahead += span
        Lease.objects.update(expires_at=F("expires_at") - span)
        tick.tick(now=self.now)

    @rule(number=pick)
    def a_message_is_delivered(self, number: int) -> None:
        """A new worker receives a message of one of the latest runs: twice, late or out of order."""
        runs = list(Run.objects.exclude(status=Status.SKIPPED).order_by("-claimed_at", "pk")[:6])
        if runs:
            run = runs[number % len(runs)]
            nonce, sent_at = uuid4(), self.now
            if lifecycle.start(run.pk, run.token, nonce, host="here", pid=1):
                self.workers.append(Worker(run, nonce, sent_at + conf.lease - conf.lease_margin))

    @rule(number=pick)
    def a_worker_renews(self, number: int) -> None:
        if worker := self._worker(number):
            sent_at = self.now
            if sent_at < worker.deadline and lifecycle.renew(worker.run.pk, worker.run.token, worker.nonce).held:
                worker.deadline = sent_at + conf.lease - conf.lease_margin
            else:
                self.workers.remove(worker)  # it kills its command and ends

    @rule(number=pick, status=ends)
    def a_worker_finishes(self, number: int, status: Status) -> None:
        """May happen long after the deadline: the command was dead by then, and the worker reports its result."""
        if worker := self._worker(number):
            self.workers.remove(worker)
            held = Lease.objects.filter(pk=worker.run.pk, nonce=worker.nonce).exists()
            moved = lifecycle.finish(worker.run.pk, worker.run.token, worker.nonce, Outcome(status))
            assert moved == held
            assert lifecycle.finish(worker.run.pk, worker.run.token, worker.nonce, Outcome(status)) == moved, "repeated"

    @rule(seconds=spans, number=pick, status=ends)
    def a_run_is_claimed_and_ends(self, seconds: int, number: int, status: Status) -> None:
        """Three steps at once: few sequences of single steps bring a run to its end."""
        self.time_passes_and_a_tick_comes(seconds)
        self.a_message_is_delivered(number)
        self.a_worker_finishes(len(self.workers) - 1, status)

    @rule(number=pick)
    def a_worker_dies(self, number: int) -> None:
        if worker := self._worker(number):
            self.workers.remove(worker)

    @rule(number=pick)
    def a_user_requests_a_stop(self, number: int) -> None:
        if runs := list(Run.objects.filter(status__in=OPEN_STATUSES).order_by("job")):
            lifecycle.request_stop(runs[number % len(runs)].pk, "somebody")

    @rule(number=pick, enabled=st.booleans())
    def a_user_enables_or_disables_a_job(self, number: int, enabled: bool) -> None:
        Job.objects.filter(pk=self.jobs[number % JOBS].pk).update(enabled=enabled)

    @rule(number=pick, cron=st.sampled_from(["* * * * *", "*/5 * * * * *", "*/15 * * * * *"]))
    def a_user_changes_a_schedule(self, number: int, cron: str) -> None:
        Job.objects.filter(pk=self.jobs[number % JOBS].pk).update(cron=cron)

    @rule(number=pick)
    def a_user_forces_a_run(self, number: int) -> None:
        Job.objects.filter(pk=self.jobs[number % JOBS].pk).update(force_run=True)

    @rule(number=pick)
    def a_user_resumes_a_job(self, number: int) -> None:
        lifecycle.resume_jobs([self.jobs[number % JOBS].pk])

    @rule(number=pick)
    def a_user_discards_what_waits(self, number: int) -> None:
        lifecycle.end_waiting_activations_of_jobs([self.jobs[number % JOBS].pk], Code.DISCARDED)

    @rule(
        number=pick,
        seconds=st.sampled_from([0, 20, 60]),
        which=st.sampled_from(InstantSelection),
        after=st.sampled_from(BackfillFailurePolicy),
    )
    def a_user_requests_a_backfill(
        self, number: int, seconds: int, which: InstantSelection, after: BackfillFailurePolicy
    ) -> None:
        state = JobState.objects.select_related("job").get(pk=self.jobs[number % JOBS].pk)
        assert state.covered_until is not None
        first = state.covered_until - dt.timedelta(seconds=seconds)
        row = Backfill(job=state.job, first=first, last=state.covered_until, which=which, on_failure=after)
        row.spec, row.planned, row.include_unknown = schedule_to_json(state.job.spec), 0, True
        with suppress(BackfillRefused):
            lifecycle.add_backfill(row)

    @rule(number=pick)
    def a_user_cancels_a_backfill(self, number: int) -> None:
        for row in Backfill.objects.filter(job=self.jobs[number % JOBS].pk, finished_at=None):
            assert lifecycle.cancel_backfill(row.pk, "somebody")

    def _worker(self, number: int) -> Worker | None:
        return self.workers[number % len(self.workers)] if self.workers else None

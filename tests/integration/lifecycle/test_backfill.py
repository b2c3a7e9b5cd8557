"""Backfills: one run after the other for past scheduled times."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import backfill_instants
from chroniker.eligibility.backfill_instants import InstantResult, does_instant_need_run
from chroniker.exceptions import BackfillRefused
from chroniker.lifecycle import claim_plan
from chroniker.models import Blackout, Calendar, InstantSelection, Job, JobState, Run, Status, Trigger
from chroniker.scheduler import backfilling
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.backfills import a_backfill, daily, planned, tick_until_ended
from tests.integration.lifecycle.steps import claimed, ended
from tests.support.factories import state_of

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


def test_one_run_after_the_other_the_oldest_first() -> None:
    job = daily(3)
    [skipped] = Run.objects.filter(job=job)
    row = a_backfill(job)
    runs = []
    for _each in range(3):
        run = claimed()
        assert tick().claimed == [], "one at a time"
        runs.append(ended(run))
    assert tick().claimed == []
    row.refresh_from_db()
    assert [run.instant for run in runs] == [skipped.scheduled_for + n * DAY for n in range(3)]  # type: ignore[operator]
    assert {(run.trigger, run.origin, run.scheduled_for) for run in runs} == {
        (Trigger.BACKFILL, Trigger.BACKFILL, None)
    }
    assert [run.interval_start for run in runs] == [run.instant - DAY for run in runs]  # type: ignore[operator]
    assert (row.made, row.succeeded, row.failed, row.is_open) == (3, 3, 0, False)
    assert state_of(job).backfill_at is None


def test_the_timeline_of_the_schedule_stays_as_it_is() -> None:
    job = daily(3)
    before = state_of(job)
    ranges = list(Run.objects.filter(job=job).values_list("scheduled_for", "covered_until"))
    for _each in range(2):
        row = a_backfill(job, which=InstantSelection.ALL, first=before.last_instant - DAY)  # type: ignore[operator]
        while tick_until_ended(row):
            pass
    after = state_of(job)
    covers = Run.objects.filter(job=job, scheduled_for__isnull=False)
    assert list(covers.values_list("scheduled_for", "covered_until")) == ranges
    for name in ("covered_until", "next_instant", "next_run", "last_instant", "last_status", "last_finished_at"):
        assert getattr(after, name) == getattr(before, name), name
    instants = Run.objects.filter(job=job, origin=Trigger.BACKFILL).values_list("instant", flat=True)
    assert len(instants) == 2 * len(set(instants)) == 4, "each time twice"


def test_both_ends_of_the_range_are_included() -> None:
    job = daily(4)
    last = state_of(job).last_instant
    assert last is not None
    row = a_backfill(job, first=last - 2 * DAY, last=last)
    while tick_until_ended(row):
        pass
    runs = Run.objects.filter(backfill=row.pk).order_by("token")
    assert [run.instant for run in runs] == [last - 2 * DAY, last - DAY, last]
    one = a_backfill(job, first=last, last=last, which=InstantSelection.ALL)
    while tick_until_ended(one):
        pass
    assert [run.instant for run in Run.objects.filter(backfill=one.pk)] == [last]


def test_results_say_nothing_about_the_present() -> None:
    job = daily(2, hold_on_failure=True)
    JobState.objects.filter(pk=job.pk).update(last_status=Status.SUCCEEDED, last_success_at=None)
    row = a_backfill(job)
    while tick_until_ended(row, Status.FAILED):
        pass
    state = state_of(job)
    assert (state.last_status, state.failures, state.held_at, state.last_success_until) == ("SUCCEEDED", 0, None, None)
    assert (state.n_failed, row.failed, row.succeeded) == (2, 2, 0)
    row = a_backfill(job)
    while tick_until_ended(row):
        pass
    assert state_of(job).last_success_at is None


def test_two_claims_of_one_scheduled_time_make_one_run() -> None:
    job = daily(2)
    a_backfill(job)
    plans, same = planned(), planned()
    [run] = lifecycle.claim(plans, database_now())
    assert lifecycle.claim(same, database_now()) == []
    ended(run)
    JobState.objects.filter(pk=job.pk).update(revision=same[0].state.revision)
    assert lifecycle.claim(same, database_now()) == [], "the cursor is compared, too"


def test_a_second_open_backfill_is_refused_with_the_first() -> None:
    job = daily(2)
    row = a_backfill(job)
    with pytest.raises(BackfillRefused, match=f"The job already has an open backfill: {row.pk}"):
        a_backfill(job)


def test_runs_for_no_scheduled_time_do_not_count_as_done() -> None:
    """The run of an event that is for a range of them, and one by hand that began in the second of one."""
    job = daily(3)
    [skipped] = Run.objects.filter(job=job)
    first, last = skipped.scheduled_for, skipped.covered_until
    assert first and last
    fields = {"job": job, "status": Status.SUCCEEDED, "claimed_at": last, "started_at": last, "finished_at": last}
    event = {"origin": Trigger.EVENT, "trigger": Trigger.EVENT}
    Run.objects.create(token=101, **fields, **event, instant=first, instant_until=last)
    click = claim_plan.plan_manual_run(
        JobState.objects.select_related("job").get(pk=job.pk), first + dt.timedelta(microseconds=7)
    )
    [run] = click.runs
    values = {name: getattr(run, name) for name in ("token", "origin", "trigger", "instant", "instant_until")}
    Run.objects.create(**{**fields, **values})
    wish = backfilling.BackfillRequest(job, first, last)
    assert {each.result for each in backfilling.preview_backfill(wish).instants_with_results} == {InstantResult.NOT_RUN}


def test_which_times_get_a_run_follows_the_stored_runs() -> None:
    job = daily(6)
    [skipped] = Run.objects.filter(job=job)
    first = skipped.scheduled_for
    assert first is not None
    skipped.delete()
    fields = {"job": job, "trigger": Trigger.SCHEDULE, "origin": Trigger.SCHEDULE, "claimed_at": first}

    def of_schedule(token: int, low: int, high: int, status: Status, **more: Any) -> None:
        times = {"instant": first + low * DAY, "instant_until": first + high * DAY}
        covers = {"scheduled_for": first + low * DAY, "covered_until": first + high * DAY}
        Run.objects.create(token=token, status=status, finished_at=first, **{**fields, **times, **covers, **more})

    of_schedule(101, 0, 1, Status.SUCCEEDED, started_at=first)
    of_schedule(102, 2, 2, Status.FAILED, started_at=first)
    of_schedule(103, 3, 3, Status.SKIPPED)
    by_hand = {"scheduled_for": None, "covered_until": None, "trigger": Trigger.MANUAL, "origin": Trigger.MANUAL}
    of_schedule(104, 4, 4, Status.SUCCEEDED, started_at=first, **by_hand)
    state = state_of(job)
    assert state.covered_until is not None
    wish = backfilling.BackfillRequest(job, first, state.covered_until)
    found = [(each.instant, each.result) for each in backfilling.preview_backfill(wish).instants_with_results]
    expected = ["SUCCEEDED", "SUCCEEDED", "NOT_SUCCEEDED", "NOT_RUN", "SUCCEEDED", "NO_RECORD"]
    assert found == [(first + n * DAY, answer) for n, answer in enumerate(expected)]
    numbers = {
        which: [
            n
            for n, each in enumerate(expected)
            if does_instant_need_run(which, InstantResult(each), include_unknown=False)
        ]
        for which in InstantSelection
    }
    assert numbers == {"NOT_SUCCEEDED": [2, 3], "NOT_RUN": [3], "ALL": [0, 1, 2, 3, 4, 5]}
    row = backfilling.request_backfill(replace(wish, include_unknown=True), "ann")
    while tick_until_ended(row):
        pass
    runs = Run.objects.filter(backfill=row.pk).order_by("token")
    assert [run.instant for run in runs] == [first + n * DAY for n in (2, 3, 5)]
    assert (row.planned, row.made) == (3, 3)


def _skipped_one_by_one(days: int, **fields: Any) -> tuple[Job, dt.datetime, dt.datetime]:
    """A job with a run for each of its scheduled times, the first of them, and the last one."""
    job = daily(days, **fields)
    whole = Run.objects.get(job=job)
    first, last = whole.scheduled_for, whole.covered_until
    assert first and last
    whole.delete()
    for n in range(days):
        times = dict.fromkeys(("scheduled_for", "covered_until", "instant", "instant_until"), first + n * DAY)
        fields = {"status": Status.SKIPPED, "trigger": Trigger.SCHEDULE, "origin": Trigger.SCHEDULE, **times}
        Run.objects.create(job=job, token=101 + n, claimed_at=last, finished_at=last, **fields)
    return job, first, last


def test_times_whose_runs_did_not_fit_into_one_read_are_read_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    job, first, last = _skipped_one_by_one(5)
    monkeypatch.setattr(backfill_instants, "MAX_RUNS_PER_READ", 3)
    preview = backfilling.preview_backfill(backfilling.BackfillRequest(job, first, last))
    assert [each.instant for each in preview.instants_with_results] == [first + n * DAY for n in range(5)]
    assert {each.result for each in preview.instants_with_results} == {InstantResult.NOT_RUN}
    assert preview.planned == 5


def test_no_backfill_passes_over_times_whose_runs_were_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of the jobs have another order than their ids, by which the read is cut."""
    jobs = [_skipped_one_by_one(3, name=name)[0] for name in ("second", "first")]
    rows = [a_backfill(job) for job in jobs]
    monkeypatch.setattr(backfill_instants, "MAX_RUNS_PER_READ", 3)
    while any([tick_until_ended(row) for row in rows]):
        pass
    assert [row.made for row in rows] == [3, 3]


@pytest.mark.parametrize(("backfills", "limit", "for_each"), [(1, 4, 4), (2, 4, 2), (2, 1, 1)])
def test_backfills_share_one_limit_of_times(
    monkeypatch: pytest.MonkeyPatch, backfills: int, limit: int, for_each: int
) -> None:
    rows = [a_backfill(daily(1)) for _each in range(backfills)]
    monkeypatch.setattr(backfill_instants, "MAX_INSTANTS_PER_PASS", limit)
    found, _errors = backfill_instants.find_next_instants_of_backfills([(row, []) for row in rows])
    assert [len(found[row.job_id].instants_with_results) for row in rows] == [for_each] * backfills


def test_blackouts_are_left_out_as_by_the_schedule() -> None:
    job = daily(3)
    last = state_of(job).last_instant
    assert last is not None
    calendar = Calendar.objects.create(name="closed")
    Blackout.objects.create(calendar=calendar, name="audit", starts_at=last - MINUTE, ends_at=last + MINUTE)
    Job.objects.filter(pk=job.pk).update(calendar=calendar)
    row = a_backfill(job)
    while tick_until_ended(row):
        pass
    assert row.made == 2 and not Run.objects.filter(backfill=row.pk, instant=last).exists()


def test_the_schedule_of_the_request_is_kept_when_the_job_is_edited() -> None:
    job = daily(2)
    row = a_backfill(job)
    Job.objects.filter(pk=job.pk).update(cron="30 * * * *")
    while tick_until_ended(row):
        pass
    assert row.made == 2 and all(run.instant.minute == 0 for run in Run.objects.filter(backfill=row.pk))  # type: ignore[union-attr]


def test_the_database_refuses_a_second_run_of_a_backfill_for_one_scheduled_time() -> None:
    job = daily(2)
    a_backfill(job)
    run = ended(claimed())
    same = {"job": job, "instant": run.instant, "backfill": run.backfill, "attempt": 1}
    again = Run(token=99, status=Status.SKIPPED, trigger="BACKFILL", claimed_at=database_now(), **same)
    again.finished_at = again.claimed_at
    with pytest.raises(IntegrityError):
        again.save(force_insert=True)

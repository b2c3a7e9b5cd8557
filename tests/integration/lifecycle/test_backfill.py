"""Backfills: one run after the other for past scheduled times."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due, explanations, hosts, pauses
from chroniker.eligibility.backfill_instants import Answer, is_wanted
from chroniker.eligibility.claim_kinds import BACKFILL
from chroniker.exceptions import BackfillRefused
from chroniker.insights.job_status import fetch_job_status
from chroniker.lifecycle import Outcome, plan
from chroniker.models import (
    EVERY_HOST,
    Alert,
    AlertKind,
    Backfill,
    Blackout,
    Calendar,
    Channel,
    Group,
    Job,
    JobDependency,
    JobState,
    Lease,
    OnFailure,
    Outbox,
    Overlap,
    Run,
    Status,
    Trigger,
    Which,
    conflicts,
)
from chroniker.models.backfill import frozen
from chroniker.reasons import Code
from chroniker.scheduler import backfilling
from chroniker.scheduler.backfill_batches import with_open_backfills
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import expire, tick
from chroniker.wording.formats import full_time
from tests.support.channels import a_channel
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started, state_of

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


def daily(days: int = 5, **fields: Any) -> Job:
    """A job whose scheduled times of the last days were missed, and are accounted for. The next one is hours away."""
    now = database_now()
    cron = f"0 {(now.hour + 12) % 24} * * *"
    job = a_booked_job(since=now - days * DAY, cron=cron, misfire_grace_seconds=0, **fields)
    tick(now=now + MINUTE)
    return job


def a_backfill(job: Job, **fields: Any) -> Backfill:
    now = database_now()
    values = {"first": now - 30 * DAY, "last": now, "spec": frozen(job.spec), "planned": 0, **fields}
    return lifecycle.add_backfill(Backfill(job=job, **values))


def claimed() -> Run:
    [run] = tick().claimed
    return run


def ended(run: Run, status: Status = Status.SUCCEEDED) -> Run:
    assert lifecycle.finish(run.pk, run.token, started(run), Outcome(status))
    return Run.objects.get(pk=run.pk)


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


def alerts() -> list[tuple[str, bool]]:
    """Each alert about a backfill: its text, and whether it is open."""
    rows = Alert.objects.filter(kind=AlertKind.BACKFILL).order_by("pk")
    return [(alert.text, alert.ended_at is None) for alert in rows]


def sent(channel: Channel) -> list[str]:
    return list(Outbox.objects.filter(channel=channel.key).order_by("pk").values_list("event", flat=True))


def test_a_backfill_that_a_failure_ends_is_reported_until_one_ends_without_failure() -> None:
    channel = a_channel(is_default=True, events=["alert.backfill", "alert.recovered"])
    job = daily(3, alert_failures=5)
    row = a_backfill(job, on_failure=OnFailure.STOP)
    ended(claimed())
    run = claimed()
    assert alerts() == []
    ended(run, Status.FAILED)
    [(text, is_open)] = alerts()
    assert f"was ended by the failure of run {run.token}." in text and is_open
    assert full_time(row.first) in text and full_time(row.last) in text
    assert sent(channel) == ["alert.backfill"] and state_of(job).failures == 0
    again = a_backfill(job)
    for _each in range(2):
        ended(claimed())
        assert alerts() == [(text, True)]
    assert not tick_until_ended(again) and alerts() == [(text, False)]
    assert (
        sent(channel) == ["alert.backfill", "alert.recovered"]
        and not state_of(job).alerts_open & AlertKind.BACKFILL.bit
    )


def test_a_backfill_that_goes_on_after_failures_is_reported_at_its_end() -> None:
    job = daily(2)
    row = a_backfill(job)
    for _each in range(2):
        ended(claimed(), Status.FAILED)
        assert alerts() == []
    assert not tick_until_ended(row)
    [(text, is_open)] = alerts()
    assert text.endswith("has ended: 2 runs failed.") and is_open
    Job.objects.filter(pk=job.pk).update(enabled=False)
    tick()
    [(_text, is_open)] = alerts()
    assert not is_open


@pytest.mark.parametrize("cancelled", [True, False])
def test_no_failure_is_reported_of_a_cancelled_backfill_or_without_that_alert(cancelled: bool) -> None:
    job = daily(2, alert_failures=1 if cancelled else 0)
    row = a_backfill(job, on_failure=OnFailure.STOP)
    run = claimed()
    if cancelled:
        assert lifecycle.cancel_backfill(row.pk, "anna")
    ended(run, Status.FAILED)
    assert alerts() == []


def test_the_timeline_of_the_schedule_stays_as_it_is() -> None:
    job = daily(3)
    before = state_of(job)
    ranges = list(Run.objects.filter(job=job).values_list("scheduled_for", "covered_until"))
    for _each in range(2):
        row = a_backfill(job, which=Which.ALL, first=before.last_instant - DAY)  # type: ignore[operator]
        while tick_until_ended(row):
            pass
    after = state_of(job)
    covers = Run.objects.filter(job=job, scheduled_for__isnull=False)
    assert list(covers.values_list("scheduled_for", "covered_until")) == ranges
    for name in ("covered_until", "next_instant", "next_run", "last_instant", "last_status", "last_finished_at"):
        assert getattr(after, name) == getattr(before, name), name
    instants = Run.objects.filter(job=job, origin=Trigger.BACKFILL).values_list("instant", flat=True)
    assert len(instants) == 2 * len(set(instants)) == 4, "each time twice"


def tick_until_ended(row: Backfill, status: Status = Status.SUCCEEDED) -> bool:
    for run in tick().claimed:
        ended(run, status)
    row.refresh_from_db()
    return row.is_open


def test_both_ends_of_the_range_are_included() -> None:
    job = daily(4)
    last = state_of(job).last_instant
    assert last is not None
    row = a_backfill(job, first=last - 2 * DAY, last=last)
    while tick_until_ended(row):
        pass
    runs = Run.objects.filter(backfill=row.pk).order_by("token")
    assert [run.instant for run in runs] == [last - 2 * DAY, last - DAY, last]
    one = a_backfill(job, first=last, last=last, which=Which.ALL)
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


def test_it_ends_after_the_first_failure_if_it_shall() -> None:
    job = daily(3)
    row = a_backfill(job, on_failure=OnFailure.STOP)
    failed = ended(claimed(), Status.FAILED)
    assert tick().claimed == []
    row.refresh_from_db()
    assert (row.is_open, row.stopped_by_run, row.failed, row.made) == (False, failed.token, 1, 1)
    assert state_of(job).backfill_at is None


def test_a_failed_run_is_retried_and_its_retry_belongs_to_the_backfill() -> None:
    job = daily(2, max_retries=1, retry_backoff_seconds=0)
    row = a_backfill(job, args="--status 3")
    first = ended(claimed(), Status.FAILED)
    assert state_of(job).retry_at is None, "the place of the schedule's retry stays free"
    retry = ended(claimed(), Status.FAILED)
    assert (retry.trigger, retry.origin, retry.attempt) == (Trigger.RETRY, Trigger.BACKFILL, 2)
    assert (retry.chain, retry.instant, retry.args) == (first.token, first.instant, "--status 3")
    second = ended(claimed())
    assert (second.attempt, second.instant) == (1, first.instant + DAY)  # type: ignore[operator]
    tick()
    row.refresh_from_db()
    assert (row.made, row.failed, row.succeeded, row.is_open) == (2, 1, 1, False)


def test_a_lost_run_is_not_retried_without_end() -> None:
    job = daily(1, retry_on_lost=True, retry_backoff_seconds=0)
    row = a_backfill(job)
    for _each in range(3):
        Run.objects.filter(pk=claimed().pk).update(claimed_at=database_now())
        Lease.objects.update(expires_at=database_now() - DAY)
        assert len(expire()) == 1
    assert tick().claimed == []
    row.refresh_from_db()
    assert (row.failed, row.is_open) == (1, False)


def test_a_cancelled_backfill_claims_nothing_more_and_its_open_run_continues() -> None:
    job = daily(3)
    row = a_backfill(job)
    run = claimed()
    assert lifecycle.cancel_backfill(row.pk, "ann")
    assert not lifecycle.cancel_backfill(row.pk, "ann")
    assert ended(run).status == Status.SUCCEEDED
    assert tick().claimed == []
    row.refresh_from_db()
    assert (row.succeeded, row.cancelled_by, row.made) == (1, "ann", 1)


def test_a_claim_that_was_planned_before_the_cancellation_is_not_written() -> None:
    job = daily(2)
    row = a_backfill(job)
    plans = planned()
    lifecycle.cancel_backfill(row.pk, "ann")
    assert lifecycle.claim(plans, database_now()) == []
    JobState.objects.filter(pk=job.pk).update(revision=plans[0].state.revision)
    assert lifecycle.claim(plans, database_now()) == [], "the backfill is read again"


def planned() -> list[lifecycle.Plan]:
    now = database_now()
    states = with_open_backfills(list(due.find(BACKFILL, now)), now)
    return [plan.make(BACKFILL, state, now) for state in states]


def test_two_claims_of_one_scheduled_time_make_one_run() -> None:
    job = daily(2)
    a_backfill(job)
    plans, same = planned(), planned()
    [run] = lifecycle.claim(plans, database_now())
    assert lifecycle.claim(same, database_now()) == []
    ended(run)
    JobState.objects.filter(pk=job.pk).update(revision=same[0].state.revision)
    assert lifecycle.claim(same, database_now()) == [], "the cursor is compared, too"


def test_after_a_cancellation_the_end_of_the_open_run_leaves_the_next_backfill_alone() -> None:
    job = daily(2)
    old = a_backfill(job, on_failure=OnFailure.STOP)
    run = claimed()
    lifecycle.cancel_backfill(old.pk, "ann")
    new = a_backfill(job)
    ended(run, Status.FAILED)
    for _each in range(4):
        tick_until_ended(new)
    assert new.succeeded == 2


def test_a_second_open_backfill_is_refused_with_the_first() -> None:
    job = daily(2)
    row = a_backfill(job)
    with pytest.raises(BackfillRefused, match=f"The job has an open backfill already: {row.pk}"):
        a_backfill(job)


@pytest.mark.parametrize("overlap", Overlap)
def test_a_scheduled_time_waits_for_the_open_run_of_a_backfill(overlap: Overlap) -> None:
    job = daily(2, overlap=overlap)
    a_backfill(job)
    run = claimed()
    later = (state_of(job).next_run or database_now()) + MINUTE / 2
    Job.objects.filter(pk=job.pk).update(misfire_grace_seconds=None)
    started(run)
    assert tick(now=later).claimed == []
    run.refresh_from_db()
    assert (run.status, run.stop_requested_at) == (Status.RUNNING, None)
    assert lifecycle.finish(run.pk, run.token, run.nonce, Outcome(Status.SUCCEEDED))  # type: ignore[arg-type]
    [following] = tick(now=later).claimed
    assert following.trigger == Trigger.SCHEDULE and following.scheduled_for == state_of(job).covered_until
    assert not Run.objects.filter(job=job, code=Code.OVERLAP).exists()


def test_a_run_that_would_not_end_before_the_next_scheduled_time_waits() -> None:
    job = daily(2)
    row = a_backfill(job)
    JobState.objects.filter(pk=job.pk).update(p50=3500.0, next_run=database_now() + 30 * MINUTE)
    assert tick().claimed == []
    state = state_of(job)
    assert state.backfill_at == state.next_run
    JobState.objects.filter(pk=job.pk).update(p50=600.0, backfill_at=database_now() - MINUTE)
    assert claimed().backfill == row.pk


def test_it_waits_while_a_retry_of_the_schedule_is_pending_and_while_the_job_is_held() -> None:
    job = daily(2)
    a_backfill(job)
    JobState.objects.filter(pk=job.pk).update(retry_at=database_now() + HOUR)
    assert tick().claimed == []
    JobState.objects.filter(pk=job.pk).update(retry_at=None, held_at=database_now(), held_by_run=1)
    assert tick().claimed == []
    JobState.objects.filter(pk=job.pk).update(held_at=None)
    assert claimed().origin == Trigger.BACKFILL


def _wait_for_another(job: Job) -> None:
    a_dependency(job, a_booked_job(name="load", cron="0 0 1 1 *"), wait_for_success=True)


def _fill_the_group(job: Job) -> None:
    group = Group.objects.create(name="night", limit=1)
    Job.objects.filter(pk=job.pk).update(group=group)
    run_now(a_booked_job(name="load", cron="0 0 1 1 *", group=group), by="ann")


def _pause(_job: Job) -> None:
    pauses.pause("ann")


def _disable(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(enabled=False)


def _enable() -> None:
    Job.objects.update(enabled=True)


def _hold(job: Job) -> None:
    JobState.objects.filter(pk=job.pk).update(held_at=database_now(), held_by_run=1)


def _resume() -> None:
    JobState.objects.update(held_at=None)


@pytest.mark.parametrize(
    ("hold", "release", "expected"),
    [
        (_wait_for_another, JobDependency.objects.all().delete, "Its backfill waits: waits for “load” to succeed."),
        (_fill_the_group, Group.objects.all().delete, "Its backfill waits: its group “night” is full (1 of 1: load)."),
        (_pause, pauses.resume, "The scheduler has been paused since "),
        (_disable, _enable, "It is disabled."),
        (_hold, _resume, "It has been held since run 1 failed."),
    ],
    ids=["dependency", "full group", "pause", "disabled", "held"],
)
def test_a_backfill_waits_while_its_job_may_not_run_and_the_page_says_why(
    hold: Callable[[Job], object], release: Callable[[], object], expected: str
) -> None:
    job = daily(2)
    a_backfill(job)
    hold(job)
    assert tick().claimed == []
    job.refresh_from_db()
    assert fetch_job_status([job])[job.pk].why.startswith(expected)
    release()
    assert claimed().origin == Trigger.BACKFILL


def test_it_leaves_the_last_place_of_a_group_to_a_due_job() -> None:
    group = Group.objects.create(name="night", limit=1)
    job = daily(2, group=group)
    a_backfill(job)
    blocker = a_booked_job(cron="0 0 1 1 *")
    waiting = a_due_job(group=group)
    a_dependency(waiting, blocker, wait_for_success=True)
    assert tick().claimed == [], "the job of the group is due, though it waits for another one"
    state = JobState.objects.select_related("job").get(pk=job.pk)
    found = explanations.why_not([state], database_now())[job.pk]
    assert found == "Its backfill waits: another job of its group is due."
    waiting.delete()
    assert claimed().origin == Trigger.BACKFILL


def test_dependents_do_not_wait_for_a_run_of_a_backfill() -> None:
    job = daily(2)
    dependent = a_booked_job(cron="0 0 1 1 *")
    a_dependency(dependent, job, wait_for_completion=True)
    a_backfill(job)
    claimed()
    Job.objects.filter(pk=dependent.pk).update(force_run=True)
    assert [run.job_id for run in tick().claimed] == [dependent.pk]


def test_a_failed_run_of_a_backfill_leaves_the_dependents_of_its_job_open() -> None:
    job = daily(1)
    dependent = a_booked_job(cron="0 0 1 1 *")
    a_dependency(dependent, job, wait_for_success=True)
    assert ended(run_now(job, by="ann")).status == Status.SUCCEEDED
    row = a_backfill(job)
    while tick_until_ended(row, Status.FAILED):
        pass
    assert row.failed == 1
    Job.objects.filter(pk=dependent.pk).update(force_run=True)
    assert claimed().job_id == dependent.pk


def test_runs_for_no_scheduled_time_do_not_count_as_done() -> None:
    """The run of an event that is for a range of them, and one by hand that began in the second of one."""
    job = daily(3)
    [skipped] = Run.objects.filter(job=job)
    first, last = skipped.scheduled_for, skipped.covered_until
    assert first and last
    fields = {"job": job, "status": Status.SUCCEEDED, "claimed_at": last, "started_at": last, "finished_at": last}
    event = {"origin": Trigger.EVENT, "trigger": Trigger.EVENT}
    Run.objects.create(token=101, **fields, **event, instant=first, instant_until=last)
    click = plan.by_hand(JobState.objects.select_related("job").get(pk=job.pk), first + dt.timedelta(microseconds=7))
    [run] = click.runs
    values = {name: getattr(run, name) for name in ("token", "origin", "trigger", "instant", "instant_until")}
    Run.objects.create(**{**fields, **values})
    wish = backfilling.Wish(job, first, last)
    assert {each.answer for each in backfilling.preview(wish).decided} == {Answer.NOT_RUN}


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
    wish = backfilling.Wish(job, first, state.covered_until)
    found = [(each.instant, each.answer) for each in backfilling.preview(wish).decided]
    expected = ["SUCCEEDED", "SUCCEEDED", "NOT_SUCCEEDED", "NOT_RUN", "SUCCEEDED", "NO_RECORD"]
    assert found == [(first + n * DAY, answer) for n, answer in enumerate(expected)]
    numbers = {
        which: [n for n, each in enumerate(expected) if is_wanted(which, Answer(each), include_unknown=False)]
        for which in Which
    }
    assert numbers == {"NOT_SUCCEEDED": [2, 3], "NOT_RUN": [3], "ALL": [0, 1, 2, 3, 4, 5]}
    row = backfilling.request(replace(wish, include_unknown=True), "ann")
    while tick_until_ended(row):
        pass
    runs = Run.objects.filter(backfill=row.pk).order_by("token")
    assert [run.instant for run in runs] == [first + n * DAY for n in (2, 3, 5)]
    assert (row.planned, row.made) == (3, 3)


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


def test_a_schedule_that_cannot_be_computed_ends_the_backfill_and_not_the_schedule() -> None:
    job = daily(2)
    row = a_backfill(job, spec={**frozen(job.spec), "cron": "nonsense"})
    tick()
    row.refresh_from_db()
    assert not row.is_open and "nonsense" in row.error
    [(text, is_open)] = alerts()
    assert "its times cannot be computed" in text and "nonsense" in text and is_open
    assert (state_of(job).schedule_error, state_of(job).backfill_at) == ("", None)


def test_a_backfill_that_was_deleted_meanwhile_does_not_stop_the_tick() -> None:
    lifecycle.fail_backfill(uuid.uuid4(), "ValueError: no such day")


def test_the_backfills_of_a_deleted_job_go_with_it() -> None:
    job, other = daily(2), daily(2)
    a_backfill(job)
    kept = a_backfill(other)
    job.delete()
    assert list(Backfill.objects.all()) == [kept]
    assert claimed().backfill == kept.pk


def test_a_batch_that_raises_is_claimed_job_by_job(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = a_due_job(), a_due_job()
    state = state_of(bad)
    first = {"scheduled_for": state.next_instant, "covered_until": state.next_instant}
    Run.objects.create(job=bad, token=99, status=Status.CLAIMED, trigger="SCHEDULE", claimed_at=database_now(), **first)
    monkeypatch.setattr(conflicts, "TRIES", 1)
    assert [run.job_id for run in tick().claimed] == [good.pk]


def test_a_job_for_every_host_waits_for_a_live_host_and_its_children_have_no_key() -> None:
    job = daily(1, hostname=EVERY_HOST)
    Run.objects.filter(job=job).update(status=Status.SKIPPED)
    row = a_backfill(job)
    assert tick().claimed == []
    assert not Run.objects.filter(backfill=row.pk).exists()
    for name in ("a", "b"):
        hosts.record_heartbeat([hosts.WorkerReport("default")], name=name)
    claims = tick().claimed
    parent = Run.objects.get(backfill=row.pk)
    assert [run.parent_id for run in claims if run.parent_id] == [parent.pk, parent.pk]
    assert {run.origin for run in claims} == {Trigger.BACKFILL}


def test_the_database_refuses_a_second_run_of_a_backfill_for_one_scheduled_time() -> None:
    job = daily(2)
    a_backfill(job)
    run = ended(claimed())
    same = {"job": job, "instant": run.instant, "backfill": run.backfill, "attempt": 1}
    again = Run(token=99, status=Status.SKIPPED, trigger="BACKFILL", claimed_at=database_now(), **same)
    again.finished_at = again.claimed_at
    with pytest.raises(IntegrityError):
        again.save(force_insert=True)

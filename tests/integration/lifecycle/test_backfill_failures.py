"""Backfills whose runs or schedule fail, and what is reported."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import (
    Alert,
    AlertKind,
    BackfillFailurePolicy,
    Channel,
    Job,
    JobState,
    Lease,
    Outbox,
    Run,
    Status,
    Trigger,
    conflicts,
)
from chroniker.models.backfill import schedule_to_json
from chroniker.scheduler.tick import expire_runs, tick
from chroniker.wording.formats import full_time
from tests.integration.lifecycle.backfills import a_backfill, daily, tick_until_ended
from tests.integration.lifecycle.steps import claimed, ended
from tests.support.channels import a_channel
from tests.support.factories import a_due_job, state_of

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


def alerts() -> list[tuple[str, bool]]:
    """Each alert about a backfill: its text, and whether it is open."""
    rows = Alert.objects.filter(kind=AlertKind.BACKFILL).order_by("pk")
    return [(alert.text, alert.ended_at is None) for alert in rows]


def sent(channel: Channel) -> list[str]:
    return list(Outbox.objects.filter(channel=channel.key).order_by("pk").values_list("event", flat=True))


def test_a_backfill_that_a_failure_ends_is_reported_until_one_ends_without_failure() -> None:
    channel = a_channel(is_default=True, events=["alert.backfill", "alert.recovered"])
    job = daily(3, alert_failures=5)
    row = a_backfill(job, on_failure=BackfillFailurePolicy.STOP)
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


def test_a_further_backfill_that_fails_leaves_the_alert_open_without_a_message() -> None:
    channel = a_channel(is_default=True, events=["alert.backfill", "alert.recovered"])
    job = daily(1)
    for _each in range(2):
        row = a_backfill(job)
        while tick_until_ended(row, Status.FAILED):
            pass
    [(_text, is_open)] = alerts()
    assert is_open and sent(channel) == ["alert.backfill"]


@pytest.mark.parametrize("cancelled", [True, False])
def test_no_failure_is_reported_of_a_cancelled_backfill_or_without_that_alert(cancelled: bool) -> None:
    job = daily(2, alert_failures=1 if cancelled else 0)
    row = a_backfill(job, on_failure=BackfillFailurePolicy.STOP)
    run = claimed()
    if cancelled:
        assert lifecycle.cancel_backfill(row.pk, "anna")
    ended(run, Status.FAILED)
    assert alerts() == []


def test_it_ends_after_the_first_failure_if_it_shall() -> None:
    job = daily(3)
    row = a_backfill(job, on_failure=BackfillFailurePolicy.STOP)
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


def test_only_the_retry_of_the_chosen_backfill_becomes_due() -> None:
    job, other = (daily(2, max_retries=1, retry_backoff_seconds=3600) for _each in range(2))
    row = a_backfill(job)
    a_backfill(other)
    for run in tick().claimed:
        ended(run, Status.FAILED)
    pending = state_of(other).backfill_at
    assert lifecycle.make_backfill_retry_due_now(row.pk)
    assert not lifecycle.make_backfill_retry_due_now(row.pk), "it is due"
    assert claimed().backfill == row.pk
    assert state_of(other).backfill_at == pending


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_no_backfill_becomes_due_that_waits_for_no_retry(is_cancelled: bool) -> None:
    """It was cancelled before its retry, or waits for the schedule; the job may have another backfill now."""
    job = daily(2, max_retries=1, retry_backoff_seconds=3600)
    row = a_backfill(job)
    if is_cancelled:
        ended(claimed(), Status.FAILED)
        assert lifecycle.cancel_backfill(row.pk, "ann")
        a_backfill(job)
    later = database_now() + DAY
    JobState.objects.filter(pk=job.pk).update(backfill_at=later)
    assert not lifecycle.make_backfill_retry_due_now(row.pk)
    assert state_of(job).backfill_at == later


def test_a_lost_run_is_not_retried_without_end() -> None:
    job = daily(1, retry_on_lost=True, retry_backoff_seconds=0)
    row = a_backfill(job)
    for _each in range(3):
        Run.objects.filter(pk=claimed().pk).update(claimed_at=database_now())
        Lease.objects.update(expires_at=database_now() - DAY)
        assert len(expire_runs()) == 1
    assert tick().claimed == []
    row.refresh_from_db()
    assert (row.failed, row.is_open) == (1, False)


def test_a_schedule_that_cannot_be_computed_ends_the_backfill_and_not_the_schedule() -> None:
    job = daily(2)
    row = a_backfill(job, spec={**schedule_to_json(job.spec), "cron": "nonsense"})
    tick()
    row.refresh_from_db()
    assert not row.is_open and "nonsense" in row.error
    [(text, is_open)] = alerts()
    assert "its scheduled times cannot be computed" in text and "nonsense" in text and is_open
    assert (state_of(job).schedule_error, state_of(job).backfill_at) == ("", None)


def test_the_backfills_of_other_jobs_go_on_when_one_ends_with_an_error() -> None:
    other, row = (a_backfill(job) for job in [daily(2), daily(2)])
    lifecycle.fail_backfill(row.pk, "ValueError: no such day")
    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.is_open, row.error, other.is_open, other.error) == (False, "ValueError: no such day", True, "")
    assert claimed().backfill == other.pk


def test_an_error_changes_no_backfill_that_has_ended() -> None:
    row = a_backfill(daily(1))
    assert lifecycle.cancel_backfill(row.pk, "ann")
    lifecycle.fail_backfill(row.pk, "ValueError: no such day")
    row.refresh_from_db()
    assert (row.cancelled_by, row.error) == ("ann", "") and alerts() == []


def test_a_batch_that_raises_is_claimed_job_by_job(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = a_due_job(), a_due_job()
    state = state_of(bad)
    first = {"scheduled_for": state.next_instant, "covered_until": state.next_instant}
    Run.objects.create(job=bad, token=99, status=Status.CLAIMED, trigger="SCHEDULE", claimed_at=database_now(), **first)
    monkeypatch.setattr(conflicts, "MAX_CONFLICT_TRIES", 1)
    assert [run.job_id for run in tick().claimed] == [good.pk]

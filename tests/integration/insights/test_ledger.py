"""The entry of the ledger for each scheduled time of a job."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import chroniker
from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.insights import ledger
from chroniker.insights.ledger import LedgerEntry, NoRunReason
from chroniker.models import EventKind, Job, JobState, Lease, Run, RunEvent, Status, Trigger
from chroniker.schedule import next_instant_after
from chroniker.scheduler import tick
from tests.support.factories import a_booked_job, a_due_job, started, state_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("dummy")]

SECOND, MINUTE, DAY = dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(days=1)


def entries(job: Job, until: dt.datetime | None = None, *, size: int = 50) -> list[LedgerEntry]:
    return ledger.fetch_newest_entries(job, state_of(job), database_now(), until, limit=size).entries


def a_range(job: Job, token: int, first: dt.datetime, last: dt.datetime, **fields: Any) -> Run:
    """A run that covers the scheduled times of this range."""
    values: dict[str, Any] = {"status": Status.SUCCEEDED, "started_at": last, "finished_at": last, **fields}
    covered = {"scheduled_for": first, "covered_until": last, "claimed_at": last}
    run = Run.objects.create(job=job, token=token, trigger=Trigger.SCHEDULE, **covered, **values)
    following = next_instant_after(job.spec, last)
    JobState.objects.filter(pk=job.pk).update(last_token=token, covered_until=last, next_instant=following)
    return run


def test_scheduled_times_without_a_claim_are_due() -> None:
    job = a_due_job(minutes=3)
    now = state_of(job).next_instant
    assert now is not None
    found = ledger.fetch_newest_entries(job, state_of(job), now + 3 * MINUTE + SECOND, limit=50).entries
    assert [(entry.instant, entry.verdict) for entry in found] == [
        (now + n * MINUTE, NoRunReason.DUE) for n in (3, 2, 1, 0)
    ]


def test_a_run_is_listed_for_each_scheduled_time_it_covers() -> None:
    job = a_due_job(minutes=3)
    (run,) = tick.tick().claimed
    found = [entry for entry in entries(job) if entry.run]
    assert [entry.run for entry in found] == [run] * len(found)
    assert found[0].instant == run.covered_until and found[-1].instant == run.scheduled_for
    assert {high.instant - low.instant for high, low in pairwise(found)} == {MINUTE}
    assert {entry.verdict for entry in found} == {Status.CLAIMED}
    assert all(entry.certain for entry in found)


def test_skipped_times_are_listed_with_their_run() -> None:
    job = a_due_job(minutes=5, misfire_grace_seconds=150)
    tick.tick()
    (missed,) = Run.objects.filter(job=job, status=Status.SKIPPED)
    skipped = [entry for entry in entries(job) if entry.verdict == Status.SKIPPED]
    assert [entry.run for entry in skipped] == [missed] * len(skipped) and len(skipped) >= 2
    assert missed.reason.startswith("Missed")


def test_times_of_a_disabled_job_are_listed_as_disabled_until_it_is_enabled() -> None:
    job = a_due_job(minutes=3)
    tick.tick()
    Job.objects.filter(pk=job.pk).update(enabled=False)
    lifecycle.book_next_instants([job.pk], database_now())
    job.refresh_from_db()
    later = database_now() + 3 * MINUTE
    found = ledger.fetch_newest_entries(job, state_of(job), later, limit=50).entries
    assert [entry.verdict for entry in found[:2]] == [NoRunReason.DISABLED] * 2
    assert all(entry.certain for entry in found)


def test_times_within_a_range_of_an_earlier_schedule_are_uncertain_but_not_its_ends() -> None:
    since = database_now().replace(minute=0, second=0, microsecond=0) - 60 * MINUTE
    job = a_booked_job(since=since, cron="*/10 * * * *", timezone="UTC")
    a_range(job, 1, first := since + 10 * MINUTE, last := since + 40 * MINUTE)
    assert all(entry.certain for entry in entries(job) if entry.run)
    Job.objects.filter(pk=job.pk).update(cron="*/15 * * * *")
    lifecycle.book_next_instants([job.pk], database_now())
    job.refresh_from_db()
    found = [entry for entry in entries(job) if entry.run and entry.run.token == 1]
    assert (found[0].instant, found[0].certain) == (last, True)
    assert (found[-1].instant, found[-1].certain) == (first, True)
    assert [(entry.instant - since, entry.certain) for entry in found[1:-1]] == [
        (30 * MINUTE, False),
        (15 * MINUTE, False),
    ]


def test_disabling_and_enabling_a_job_keeps_the_history_of_its_schedule() -> None:
    job = a_due_job(minutes=3)
    tick.tick()
    for enabled in (False, True):
        Job.objects.filter(pk=job.pk).update(enabled=enabled)
        lifecycle.book_next_instants([job.pk], database_now())
    job.refresh_from_db()
    assert all(entry.certain for entry in entries(job))


def test_the_last_attempt_is_listed_and_a_manual_run_is_not() -> None:
    job = a_booked_job(cron="0 0 1 1 *")
    now = database_now().replace(microsecond=0)
    run = a_range(job, 1, now - MINUTE, now - MINUTE, status=Status.FAILED)
    other = {"job": job, "claimed_at": now, "started_at": now, "finished_at": now}
    Run.objects.create(token=2, status=Status.FAILED, trigger=Trigger.RETRY, attempt=2, chain=1, **other)
    last = Run.objects.create(token=3, status=Status.SUCCEEDED, trigger=Trigger.RETRY, attempt=3, chain=1, **other)
    Run.objects.create(token=4, status=Status.FAILED, trigger=Trigger.MANUAL, chain=4, **other)
    Run.objects.create(token=5, status=Status.LOST, trigger=Trigger.RETRY, attempt=2, chain=4, **other)
    (entry,) = [each for each in entries(job) if each.run]
    assert (entry.run, entry.retry, entry.verdict) == (run, last, Status.SUCCEEDED)


def test_successive_pages_have_no_gap_and_no_repetition() -> None:
    since = database_now().replace(second=0, microsecond=0) - 100 * MINUTE
    job = a_booked_job(since=since)
    for token, start in enumerate(range(1, 91, 6), 1):
        a_range(job, token, since + start * MINUTE, since + (start + 5) * MINUTE)
    state, now = state_of(job), since + 95 * MINUTE
    everything = ledger.fetch_newest_entries(job, state, now, limit=200)
    assert not everything.has_more
    paged: list[LedgerEntry] = []
    until: dt.datetime | None = None
    while True:
        page = ledger.fetch_newest_entries(job, state, now, until, limit=7)
        paged += page.entries
        if not page.has_more:
            break
        until = paged[-1].instant - dt.timedelta(microseconds=1)
    assert paged == everything.entries
    assert [entry.instant for entry in paged] == [since + n * MINUTE for n in range(95, 0, -1)]


def test_times_of_deleted_runs_are_listed_as_one_range() -> None:
    since = database_now().replace(second=0, microsecond=0) - 60 * MINUTE
    job = a_booked_job(since=since)
    for token, start in enumerate((1, 11, 21, 31), 1):
        a_range(job, token, since + start * MINUTE, since + (start + 9) * MINUTE)
    Run.objects.filter(job=job, token__in=[1, 3]).delete()
    gaps = [entry for entry in entries(job, size=200) if entry.verdict == NoRunReason.NO_RECORD]
    stretches = [((gap.first or since) - since, gap.instant - since) for gap in gaps]
    assert stretches == [(21 * MINUTE, 30 * MINUTE), (1 * MINUTE, 10 * MINUTE)]
    newest = entries(job, since + 25 * MINUTE, size=3)
    assert newest[0].verdict == NoRunReason.NO_RECORD and newest[0].instant == since + 25 * MINUTE


def test_a_page_of_a_range_with_a_million_times_reads_one_page(django_assert_max_num_queries: Any) -> None:
    since = database_now().replace(second=0, microsecond=0) - 1_000_100 * SECOND
    job = a_booked_job(since=since, cron="", frequency="SECONDLY", params="interval:1")
    a_range(job, 1, since + SECOND, since + 1_000_000 * SECOND, status=Status.LOST)
    state, now = state_of(job), since + 1_000_000 * SECOND
    with django_assert_max_num_queries(3):
        page = ledger.fetch_newest_entries(job, state, now, limit=50)
    assert [entry.instant for entry in page.entries] == [now - n * SECOND for n in range(50)]
    middle = since + 500_000 * SECOND
    assert ledger.fetch_newest_entries(job, state, now, middle, limit=50).entries[0].instant == middle
    assert not ledger.fetch_newest_entries(job, state, now, since + 10 * SECOND, limit=50).has_more


def test_a_page_needs_a_constant_number_of_statements_for_any_history() -> None:
    since = database_now().replace(second=0, microsecond=0) - 400 * MINUTE
    job = a_booked_job(since=since)
    for token in range(1, 301):
        a_range(job, token, since + token * MINUTE, since + token * MINUTE, status=Status.FAILED)
    state, now = state_of(job), since + 300 * MINUTE
    with CaptureQueriesContext(connection) as captured:
        page = ledger.fetch_newest_entries(job, state, now, limit=20)
    assert len(captured) == 3 and page.has_more


def test_an_invalid_schedule_still_shows_the_stored_runs() -> None:
    job = a_booked_job()
    now = database_now().replace(second=0, microsecond=0)
    a_range(job, 1, now - 10 * MINUTE, now - 2 * MINUTE)
    Job.objects.filter(pk=job.pk).update(cron="nonsense")
    lifecycle.book_next_instants([job.pk], database_now())
    job.refresh_from_db()
    found = [entry for entry in entries(job) if entry.run and entry.run.token == 1]
    assert [entry.instant for entry in found] == [now - 2 * MINUTE, now - 10 * MINUTE]


def test_a_lost_run_is_recorded_so_that_it_can_be_counted() -> None:
    a_due_job(minutes=1)
    (run,) = tick.tick().claimed
    started(run)
    Lease.objects.filter(pk=run.pk).update(expires_at=run.claimed_at - dt.timedelta(days=1))
    tick.tick()
    event = RunEvent.objects.get(run=run, kind=EventKind.LOST)
    run.refresh_from_db()
    assert (run.status, event.description) == (Status.LOST, run.reason)


def test_a_window_has_the_same_entries_as_pages_of_any_size() -> None:
    since = database_now().replace(second=0, microsecond=0) - 41 * MINUTE
    job = a_booked_job(since=since)
    ranges = [(1, 3), (4, 4), (5, 9), (12, 12), (13, 20), (21, 22), (25, 30), (31, 31)]
    for token, (first, last) in enumerate(ranges, 1):
        status = Status.FAILED if token % 3 == 0 else Status.SUCCEEDED
        a_range(job, token, since + first * MINUTE, since + last * MINUTE, status=status)
    now = database_now()
    every = ledger.fetch_newest_entries(job, state_of(job), now, limit=1000)
    assert not every.has_more
    for low, high, rows in [
        (0, 40, 3),
        (15, 40, 1),
        (15, 40, 30),
        (15, 18, 1),
        (26, 28, 2),
        (15, 40, 500),
        (39, 40, 6),
    ]:
        bounds = since + low * MINUTE, since + high * MINUTE
        found = ledger.fetch_entries_between(job, state_of(job), now, *bounds, min_entries=rows)
        expected = [entry for entry in every.entries if entry.instant <= bounds[1]]
        shown = [entry for n, entry in enumerate(expected) if entry.instant >= bounds[0] or n < rows]
        assert found.entries == shown, (low, high, rows)
        assert found.has_more == (len(shown) < len(expected)), (low, high, rows)


def test_the_last_backfill_run_is_added_to_a_scheduled_time_that_did_not_succeed() -> None:
    now = database_now()
    job = a_booked_job(since=now - 3 * DAY, cron=f"0 {(now.hour + 12) % 24} * * *", misfire_grace_seconds=0)
    tick.tick(now=now + MINUTE)
    chroniker.backfill(job, now - 30 * DAY, now, "ann")
    [run] = tick.tick().claimed
    lifecycle.finish(run.pk, run.token, started(run), lifecycle.Outcome(Status.SUCCEEDED))
    found = [(entry.verdict, entry.backfill_run) for entry in entries(job)]
    assert found == [(Status.SKIPPED, None), (Status.SKIPPED, None), (Status.SKIPPED, run)]

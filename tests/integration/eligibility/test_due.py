"""Which jobs, groups and runs the searches of a tick find, and which they leave out."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import OVERLAPPED, RETRY, SCHEDULED
from chroniker.eligibility.due import are_claims_and_messages_due_after_run
from chroniker.models import (
    Activation,
    Group,
    Job,
    JobState,
    JobTrigger,
    Outbox,
    Overlap,
    Run,
    Status,
    Trigger,
)
from tests.integration.eligibility.open_runs import an_open_run
from tests.support.factories import a_booked_job, a_dependency, a_due_job

pytestmark = pytest.mark.django_db

FAR = "0 0 1 1 *"
MINUTE = dt.timedelta(minutes=1)


def test_the_lease_of_a_single_host_keeps_no_job_from_its_next_run() -> None:
    job = a_due_job(overlap=Overlap.SKIP)
    an_open_run(job, slot="7")
    now = database_now()
    assert [state.pk for state in due.find_due_jobs(SCHEDULED, now)] == [job.pk]
    assert list(due.find_due_jobs(OVERLAPPED, now)) == []


def test_a_disabled_job_is_not_due() -> None:
    disabled, now = a_due_job(), database_now()
    Job.objects.filter(pk=disabled.pk).update(enabled=False)
    due_job = a_due_job()
    assert [state.pk for state in due.find_due_jobs(SCHEDULED, now + MINUTE)] == [due_job.pk]
    assert [state.pk for state in due.read_due_states(SCHEDULED, now + MINUTE, limit=9)] == [due_job.pk]


def test_overlapped_times_are_found_in_a_full_group_and_not_in_a_paused_one() -> None:
    full = Group.objects.create(name="full", limit=1)
    paused = Group.objects.create(name="paused", paused_at=database_now())
    inside, waiting, held = (a_due_job(overlap=Overlap.SKIP, group=group) for group in (full, full, paused))
    for job in (inside, held):
        an_open_run(job)
    now = database_now()
    assert [state.pk for state in due.find_due_jobs(OVERLAPPED, now)] == [inside.pk]
    assert list(due.find_due_jobs(SCHEDULED, now)) == []
    Group.objects.filter(pk=full.pk).update(limit=2)
    assert [state.pk for state in due.find_due_jobs(SCHEDULED, now)] == [waiting.pk]


@pytest.mark.every_database
def test_a_retry_copies_the_latest_attempt_of_its_own_chain_and_job() -> None:
    job, other = a_booked_job(cron=FAR), a_booked_job(cron=FAR)
    now = database_now()

    def failed(of: Job, token: int, chain: int, words: str) -> None:
        times = {"claimed_at": now, "started_at": now, "finished_at": now}
        Run.objects.create(job=of, token=token, chain=chain, args=words, status=Status.FAILED, **times)

    failed(job, 11, 11, "first attempt")
    failed(job, 12, 11, "second attempt")
    failed(job, 13, 13, "by hand")
    failed(other, 14, 11, "of another job")
    JobState.objects.filter(pk=job.pk).update(retry_at=now, retry_of=11)
    [state] = due.read_due_states(RETRY, now, limit=9)
    assert (state.pk, state.__dict__["failed_args"]) == (job.pk, "second attempt")


def test_a_group_has_urgent_work_while_an_enabled_job_without_an_open_run_is_due() -> None:
    names = ("due", "disabled", "running", "not due", "only a backfill", "no limit")
    groups = {name: Group.objects.create(name=name, limit=2) for name in names}
    Group.objects.filter(name="no limit").update(limit=None)
    for name in ("due", "no limit"):
        a_due_job(group=groups[name])
    Job.objects.filter(pk=a_due_job(group=groups["disabled"]).pk).update(enabled=False)
    an_open_run(a_due_job(group=groups["running"]))
    a_booked_job(group=groups["not due"], cron=FAR)
    job = a_booked_job(group=groups["only a backfill"], cron=FAR)
    JobState.objects.filter(pk=job.pk).update(backfill_at=database_now())
    assert due.find_groups_with_urgent_work(database_now()) == [groups["due"].pk]


def test_what_waits_for_other_jobs_is_not_found_after_a_run() -> None:
    job, other = (a_booked_job(cron=FAR, group=Group.objects.create(name=name, limit=1)) for name in ("own", "other"))
    a_dependency(a_due_job(), other)
    JobTrigger.objects.create(source=other, target=a_due_job())
    a_due_job(group=other.group)
    now = database_now()
    run = Run.objects.create(job=job, token=1, status=Status.SUCCEEDED, claimed_at=now, finished_at=now)
    Outbox.objects.create(run=run, channel="mail:1", send_at=now + 60 * MINUTE)
    assert are_claims_and_messages_due_after_run(job.pk) == (False, False)
    assert are_claims_and_messages_due_after_run(other.pk) == (True, False)


def test_the_pending_jobs_of_a_group_are_found_the_longest_waiting_first_if_it_has_a_limit() -> None:
    group, other = (Group.objects.create(name=name, limit=1) for name in ("own", "other"))
    late, later = a_due_job(group=group, minutes=3), a_due_job(group=group, minutes=9)
    ended = a_booked_job(group=group, cron=FAR)
    a_due_job(group=other, minutes=20)
    a_due_job(minutes=20)
    assert due.find_pending_jobs_in_group_of_job(ended.pk, 9) == [later.pk, late.pk]
    assert due.find_pending_jobs_in_group_of_job(ended.pk, 1) == [later.pk]
    assert due.find_jobs_with_pending_work([late.pk, ended.pk]) == [late.pk]
    Group.objects.filter(pk=group.pk).update(limit=None)
    assert due.find_pending_jobs_in_group_of_job(ended.pk, 9) == []


def test_a_run_is_replaced_by_the_next_scheduled_time_of_its_own_enabled_job() -> None:
    replaced = a_due_job(overlap=Overlap.REPLACE)
    an_open_run(replaced)
    an_open_run(a_booked_job(overlap=Overlap.REPLACE, cron=FAR))
    an_open_run(a_due_job(overlap=Overlap.WAIT))
    an_open_run(a_due_job(overlap=Overlap.REPLACE), stop_requested_at=database_now())
    an_open_run(a_due_job(overlap=Overlap.REPLACE), origin=Trigger.MANUAL)
    an_open_run(a_due_job(overlap=Overlap.REPLACE), slot="7")
    disabled = a_due_job(overlap=Overlap.REPLACE)
    an_open_run(disabled)
    Job.objects.filter(pk=disabled.pk).update(enabled=False)
    paused = a_due_job(overlap=Overlap.REPLACE, group=Group.objects.create(name="p", paused_at=database_now()))
    an_open_run(paused)
    now = database_now()
    assert [lease.job_id for lease in due.find_leases_of_runs_to_replace(now)] == [replaced.pk]
    assert due.find_leases_of_runs_to_replace(now, [replaced.pk]).count() == 1
    assert due.find_leases_of_runs_to_replace(now, [paused.pk]).count() == 0


def test_each_job_to_book_is_found_once_and_in_the_order_of_its_reasons() -> None:
    now = database_now()
    a_booked_job(), a_due_job(), a_booked_job(enabled=False)
    older, edited = a_booked_job(cron=FAR), a_booked_job(cron=FAR)
    both, disabled, second = a_due_job(), a_due_job(), a_due_job()
    target, by_rules = a_booked_job(cron=FAR), a_booked_job(cron=FAR)
    Activation.objects.create(target=target, instant=now, made_at=now)
    Activation.objects.create(target=a_booked_job(), instant=now, made_at=now)
    for job in (both, disabled, second, target):
        Job.objects.filter(pk=job.pk).update(enabled=False)
    for job, minutes in ((edited, 1), (older, 2), (both, 3)):
        Job.objects.filter(pk=job.pk).update(edited_at=now - minutes * MINUTE)
    JobState.objects.filter(pk=by_rules.pk).update(booked_zone_rules="1999a")
    expected = [both.pk, older.pk, edited.pk, disabled.pk, second.pk, target.pk, by_rules.pk]
    assert due.find_jobs_to_book(now, 99) == expected
    for limit in range(8):
        assert due.find_jobs_to_book(now, limit) == expected[:limit]
    assert due.find_jobs_to_book(now, 99, [target.pk, edited.pk]) == [edited.pk, target.pk]

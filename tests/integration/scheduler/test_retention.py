"""Old runs go, with what belongs to them; what is open, or the last of its slot, stays."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import plan
from chroniker.models import EventKind, Job, Lease, LogChunk, Outbox, Run, RunEvent, Status
from chroniker.scheduler import manual_runs, retention, tick
from tests.support.command_jobs import DUMMY, INLINE
from tests.support.factories import a_booked_job, a_due_job, state_of
from tests.support.run_history import DAY, ended, with_belongings

pytestmark = pytest.mark.django_db(transaction=True)


def tokens(job: Job) -> list[int]:
    return list(Run.objects.filter(job=job).order_by("token").values_list("token", flat=True))


def claim(job: Job) -> Run:
    [run] = lifecycle.claim([plan.by_hand(state_of(job), database_now())], database_now())
    return run


def delete_all() -> int:
    *_before, deleted = [0, *retention.delete_before(database_now() + DAY)]
    return deleted


# -- what goes, and what stays --------------------------------------------------------------------------------


def test_what_belongs_to_a_run_goes_with_it_and_leaves_other_runs_alone() -> None:
    job = a_booked_job()
    old, new = (with_belongings(run) for run in ended(job, 2, 1))
    assert delete_all() == 1
    assert tokens(job) == [new.token]
    for model in (LogChunk, RunEvent, Outbox):
        assert set(model._default_manager.values_list("run", flat=True)) == {new.pk}, model
    assert not Run.objects.filter(pk=old.pk).exists()


def test_more_output_than_fits_into_a_transaction_goes_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS", 3)
    job = a_booked_job()
    old, _new = ended(job, 2, 1)
    with_belongings(old, chunks=10)
    with CaptureQueriesContext(connection) as asked:
        assert delete_all() == 1
    deletions = [query["sql"] for query in asked if query["sql"].startswith("DELETE") and "logchunk" in query["sql"]]
    assert len(deletions) > 3 and not LogChunk.objects.exists()


def test_an_open_run_stays_and_the_last_closed_one_too() -> None:
    job = a_booked_job()
    ended(job, 3, 2)
    running = claim(job)
    assert delete_all() == 1
    assert tokens(job) == [2, running.token]
    assert Lease.objects.filter(run=running).exists()


def test_each_slot_keeps_its_last_run_and_children_go_with_their_parent() -> None:
    job = a_booked_job()
    [gone] = ended(job, 9)
    with_belongings(ended(job, 9, slot="here", parent=gone)[0])
    [kept] = ended(job, 8)
    ended(job, 8, slot="here", parent=kept)
    ended(job, 8, slot="there", parent=kept)
    [newest] = ended(job, 7)
    ended(job, 7, slot="here", parent=newest)
    assert delete_all() == 1
    slots = Run.objects.filter(job=job).order_by("token").values_list("slot", flat=True)
    assert list(slots) == ["", "here", "there", "", "here"], "the last run there keeps its parent"


def test_a_run_stays_while_one_of_its_children_is_open() -> None:
    job = a_booked_job()
    [parent], _later = ended(job, 9), ended(job, 1)
    [child], _later = ended(job, 9, slot="here", parent=parent), ended(job, 1, slot="here")
    Run.objects.filter(pk=child.pk).update(status=Status.CLAIMED, finished_at=None)
    assert delete_all() == 0


def test_a_run_stays_until_its_messages_are_sent_or_given_up() -> None:
    job = a_booked_job()
    old, _new = ended(job, 2, 1)
    with_belongings(old, sent=False)
    assert delete_all() == 0
    Outbox.objects.update(sent_at=database_now(), send_at=None)
    assert delete_all() == 1


def test_an_event_that_arrives_meanwhile_is_taken_along(monkeypatch: pytest.MonkeyPatch) -> None:
    job = a_booked_job()
    old, _new = ended(job, 2, 1)
    real, calls = retention._delete_all, []

    def interfered(rows: Any) -> int:
        calls.append(rows)
        if len(calls) == 3:  # the transaction's first statement
            lifecycle.note(old.pk, EventKind.NOTE, "late")
        return real(rows)

    monkeypatch.setattr(retention, "_delete_all", interfered)
    assert delete_all() == 1
    assert not RunEvent.objects.filter(run=old).exists()


def test_runs_are_deleted_portion_by_portion_and_what_stays_is_not_looked_at_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "PORTION", 2)
    job, other = a_booked_job(), a_booked_job()
    ended(other, 100)
    ended(job, *range(10, 0, -1))
    assert list(retention.delete_before(database_now() - 3.5 * DAY)) == [2, 4, 6, 7]
    assert tokens(job) == [8, 9, 10] and tokens(other) == [1]


# -- maximum_log_entries --------------------------------------------------------------------------------------


@override_settings(CHRONIKER_EXECUTORS=INLINE)
def test_a_tick_trims_the_jobs_that_it_claims_and_no_others() -> None:
    due, idle = a_due_job(maximum_log_entries=3), a_booked_job(cron="0 0 1 1 *", maximum_log_entries=3)
    for job in (due, idle):
        ended(job, 5, 4, 3, 2, 1)
    tick.tick()
    assert tokens(due) == [4, 5, 6]
    assert tokens(idle) == [1, 2, 3, 4, 5]


@override_settings(CHRONIKER_EXECUTORS=DUMMY)
def test_a_run_by_hand_trims_its_job_too() -> None:
    job = a_booked_job(maximum_log_entries=2)
    ended(job, 5, 4, 3)
    manual_runs.run_now(job, "a test")
    assert tokens(job) == [3, 4]


def test_zero_keeps_all_and_a_maximum_of_one_keeps_the_last_closed_beside_the_open() -> None:
    everything, one = a_booked_job(maximum_log_entries=0), a_booked_job(maximum_log_entries=1)
    for job in (everything, one):
        ended(job, 3, 2, 1)
        claim(job)
    assert retention.trim([everything.pk, one.pk]) == 2
    assert tokens(everything) == [1, 2, 3, 4] and tokens(one) == [3, 4]


def test_a_large_surplus_goes_over_several_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PORTION", 3)
    job = a_booked_job(maximum_log_entries=1)
    ended(job, *range(8, 0, -1))
    assert [retention.trim([job.pk]) for _ in range(4)] == [3, 3, 1, 0]


def test_trimming_takes_as_many_statements_for_many_jobs_as_for_few() -> None:
    def statements(jobs: list[Job]) -> int:
        for job in jobs:
            for run in ended(job, 3, 2, 1):
                with_belongings(run)
        with CaptureQueriesContext(connection) as asked:
            assert retention.trim([job.pk for job in jobs]) == 2 * len(jobs)
        return len(asked)

    few = statements([a_booked_job(maximum_log_entries=1)])
    assert statements([a_booked_job(maximum_log_entries=1) for _ in range(8)]) == few


def test_a_foreign_table_that_refers_to_runs_does_not_stop_a_tick(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from django.db import IntegrityError

    def refuse(rows: Any) -> int:
        raise IntegrityError("still referred to")

    monkeypatch.setattr(retention, "_delete_all", refuse)
    job = a_booked_job(maximum_log_entries=1)
    ended(job, 2, 1)
    assert retention.trim([job.pk]) == 0
    assert "still referred to" in caplog.text


def test_trimming_begins_no_further_portion_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "TIME_BOX", dt.timedelta(seconds=-1))
    job = a_booked_job(maximum_log_entries=1)
    ended(job, 2, 1)
    assert retention.trim([job.pk]) == 0

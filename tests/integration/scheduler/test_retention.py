"""Old runs are deleted with their related rows; open runs and the last run of each slot are kept."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import EventKind, Lease, LogChunk, Outbox, Run, RunEvent, Status
from chroniker.scheduler import retention
from tests.integration.scheduler.old_runs import claim, delete_all, tokens
from tests.support.factories import a_booked_job
from tests.support.run_history import DAY, ended, with_related_rows

pytestmark = pytest.mark.django_db(transaction=True)


def quoted(model: type[Run]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def test_deleting_a_run_deletes_its_related_rows_and_no_others() -> None:
    job = a_booked_job()
    old, new = (with_related_rows(run) for run in ended(job, 2, 1))
    assert delete_all() == 1
    assert tokens(job) == [new.token]
    for model in (LogChunk, RunEvent, Outbox):
        assert set(model._default_manager.values_list("run", flat=True)) == {new.pk}, model
    assert not Run.objects.filter(pk=old.pk).exists()


def test_large_output_is_deleted_in_several_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_PER_TRANSACTION", 3)
    job = a_booked_job()
    old, _new = ended(job, 2, 1)
    with_related_rows(old, chunks=10)
    with CaptureQueriesContext(connection) as queries:
        assert delete_all() == 1
    deletions = [query["sql"] for query in queries if query["sql"].startswith("DELETE") and "logchunk" in query["sql"]]
    assert len(deletions) > 3 and not LogChunk.objects.exists()


def test_open_runs_and_the_last_closed_run_are_kept() -> None:
    job = a_booked_job()
    ended(job, 3, 2)
    running = claim(job)
    assert delete_all() == 1
    assert tokens(job) == [2, running.token]
    assert Lease.objects.filter(run=running).exists()


def test_each_slot_keeps_its_last_run_and_children_are_deleted_with_their_parent() -> None:
    job = a_booked_job()
    [gone] = ended(job, 9)
    with_related_rows(ended(job, 9, slot="here", parent=gone)[0])
    [kept] = ended(job, 8)
    ended(job, 8, slot="here", parent=kept)
    ended(job, 8, slot="there", parent=kept)
    [newest] = ended(job, 7)
    ended(job, 7, slot="here", parent=newest)
    assert delete_all() == 1
    slots = Run.objects.filter(job=job).order_by("token").values_list("slot", flat=True)
    assert list(slots) == ["", "here", "there", "", "here"], "the last run there keeps its parent"


def test_a_run_is_kept_while_one_of_its_children_is_open() -> None:
    job = a_booked_job()
    [parent], _later = ended(job, 9), ended(job, 1)
    [child], _later = ended(job, 9, slot="here", parent=parent), ended(job, 1, slot="here")
    Run.objects.filter(pk=child.pk).update(status=Status.CLAIMED, finished_at=None)
    assert delete_all() == 0


def test_a_run_is_kept_until_its_messages_are_sent_or_abandoned() -> None:
    job = a_booked_job()
    old, _new = ended(job, 2, 1)
    with_related_rows(old, sent=False)
    assert delete_all() == 0
    Outbox.objects.update(sent_at=database_now(), send_at=None)
    assert delete_all() == 1


def test_an_event_added_during_the_deletion_is_deleted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    job = a_booked_job()
    old, _new = ended(job, 2, 1)
    real, calls = retention._delete_rows_without_reading, []

    def interfered(rows: Any) -> int:
        calls.append(rows)
        if len(calls) == 3:  # the transaction's first statement
            lifecycle.add_run_event(old.pk, EventKind.NOTE, "late")
        return real(rows)

    monkeypatch.setattr(retention, "_delete_rows_without_reading", interfered)
    assert delete_all() == 1
    assert not RunEvent.objects.filter(run=old).exists()


def test_runs_are_deleted_in_batches_and_kept_runs_are_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "RUNS_PER_SEARCH", 2)
    job, other = a_booked_job(), a_booked_job()
    ended(other, 100)
    ended(job, *range(10, 0, -1))
    assert list(retention.delete_runs_ended_before(database_now() - 3.5 * DAY)) == [2, 4, 6, 7]
    assert tokens(job) == [8, 9, 10] and tokens(other) == [1]


def test_a_transaction_deletes_few_runs_each_with_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "RUNS_PER_TRANSACTION", 2)
    job = a_booked_job()
    runs = ended(job, *range(6, 0, -1))
    for run in runs[:-1]:
        with_related_rows(run)
    for token, parent in ((100, runs[2]), (101, runs[-1])):
        child = Run.objects.get(pk=parent.pk)
        child.pk, child.token, child.slot, child.parent_id = None, token, "host", parent.pk
        child.save(force_insert=True)
    with CaptureQueriesContext(connection) as queries:
        assert delete_all() == 5
    assert tokens(job) == [6, 101]
    deletions = [each["sql"] for each in queries if each["sql"].startswith(f"DELETE FROM {quoted(Run)}")]
    assert len(deletions) == 2 * 3, "three transactions: the children of these runs, and the runs"


def test_a_table_of_the_project_that_refers_to_runs_does_not_break_a_tick(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from django.db import IntegrityError

    def refuse(rows: Any) -> int:
        raise IntegrityError("still referred to")

    monkeypatch.setattr(retention, "_delete_rows_without_reading", refuse)
    job = a_booked_job(maximum_log_entries=1)
    ended(job, 2, 1)
    assert retention.delete_surplus_runs([job.pk]) == 0
    assert "still referred to" in caplog.text


def test_retention_starts_no_further_batch_after_its_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "TIME_LIMIT_PER_PASS", dt.timedelta(seconds=-1))
    job = a_booked_job(maximum_log_entries=1)
    ended(job, 2, 1)
    assert retention.delete_surplus_runs([job.pk]) == 0
